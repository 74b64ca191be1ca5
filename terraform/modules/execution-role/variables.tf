variable "account_id" {
  description = "The AWS account whose functions may take the role."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, got '${var.account_id}'."
  }
}

variable "log_group_arn" {
  description = "ARN of the only log group the role may write to."
  type        = string
  nullable    = false
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

variable "permissions" {
  description = "What else the function may do; a wildcard needs a reason."
  type = list(object({
    actions   = list(string)
    resources = list(string)
    reason    = optional(string)
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for p in var.permissions : length(p.actions) > 0 && length(p.resources) > 0])
    error_message = "A permission needs actions and resources, got ${jsonencode(var.permissions)}."
  }

  validation {
    condition = alltrue([for p in var.permissions :
      p.reason != null || !contains(p.resources, "*") && alltrue([for action in p.actions : action != "*" && !endswith(action, ":*")])
    ])
    error_message = "A permission for all actions of a service or for all resources needs a reason, got none in ${jsonencode([for p in var.permissions : p if p.reason == null])}."
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

variable "queue_arns" {
  description = "ARNs of the queues the function reads."
  type        = list(string)
  default     = []
  nullable    = false
}
