variable "existing" {
  description = "The topic where it is there already; null makes one."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.existing == null ? true : can(regex("^arn:[^:]+:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]+$", var.existing.arn))
    error_message = "existing.arn must be the ARN of a topic, and not of a FIFO one, to which no function can be subscribed, got '${try(var.existing.arn, "")}'."
  }
}

variable "filter" {
  description = "Pattern as JSON of the messages the function gets; null for all."
  type        = string
  default     = null

  validation {
    condition     = var.filter == null ? true : can(keys(jsondecode(var.filter)))
    error_message = "filter must be a JSON object, got '${coalesce(var.filter, "null")}'."
  }
}

variable "filter_scope" {
  description = "What of a message the pattern is about: its attributes or its body."
  type        = string
  default     = "attributes"
  nullable    = false

  validation {
    condition     = contains(["attributes", "body"], var.filter_scope)
    error_message = "filter_scope must be attributes or body, got '${var.filter_scope}'."
  }
}

variable "function" {
  description = "The function that is subscribed, by its alias, and the alias's ARN."
  type = object({
    alias = string
    arn   = string
    name  = string
  })
  nullable = false
}

variable "name" {
  description = "The topic's name, and what the function's policy calls its permission."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,94}$", var.name))
    error_message = "name must be 1 to 94 letters, digits, hyphens or underscores (100 as topic-<name> in the function's policy), got '${var.name}' (${length(var.name)})."
  }
}

variable "place" {
  description = "Where a topic is made; ARNs are built from it."
  type = object({
    account_id = string
    partition  = optional(string, "aws")
    region     = string
  })
  nullable = false
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
  nullable    = false
}
