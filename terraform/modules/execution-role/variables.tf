variable "account_id" {
  description = "The AWS account whose functions may take the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, got '${var.account_id}'."
  }
}

variable "managed_policies" {
  description = "ARNs of managed policies, by a text that is known when planning, such as the ARN itself."
  type        = map(string)
  default     = {}
  nullable    = false

  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  validation {
    condition     = length(var.managed_policies) <= 25
    error_message = "A role may have 10 managed policies, up to 25 on request, got ${length(var.managed_policies)}."
  }
}

variable "name" {
  description = "The role's name, also of the function it is for."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_+=,.@-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits or _+=,.@-, got '${var.name}' (${length(var.name)})."
  }
}

variable "permissions_boundary" {
  description = "ARN of an IAM policy that bounds the role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of an IAM policy, got '${coalesce(var.permissions_boundary, "null")}'."
  }
}

variable "statements" {
  description = "What the function may do, in this order; ARNs as plain text, so that a plan shows them."
  type = list(object({
    actions   = list(string)
    resources = list(string)
    condition = optional(map(map(string)))
  }))
  nullable = false

  validation {
    condition     = length(var.statements) > 0 && alltrue([for s in var.statements : length(s.actions) > 0 && length(s.resources) > 0])
    error_message = "statements must be at least one, each with actions and resources, got ${jsonencode(var.statements)}."
  }
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
  nullable    = false
}
