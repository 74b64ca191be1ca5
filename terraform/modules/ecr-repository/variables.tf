variable "function_arn" {
  description = "ARN of the only function whose images Lambda may pull from here, without a version."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:lambda:[^:]+:[0-9]{12}:function:[a-zA-Z0-9_-]+$", var.function_arn))
    error_message = "function_arn must be the ARN of a function without version or alias, got '${var.function_arn}'."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the images; null for the key of ECR itself."
  type        = string
  default     = null
}

variable "name" {
  description = "The repository's name, such as slipway-prod/orders."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 256
    error_message = "name must be 2 to 256 lower-case letters and digits, in parts joined by one of . _ / -, got '${var.name}'."
  }
}

variable "tags" {
  description = "Tags of the repository."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "untagged_days" {
  description = "Days after its push that an image without a tag is kept."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days must be 1 or more, got ${var.untagged_days}."
  }
}
