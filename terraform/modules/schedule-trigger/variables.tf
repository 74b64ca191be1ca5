variable "dead_letter" {
  description = "Whether a queue is made for invokes that are given up."
  type        = bool
  default     = true
  nullable    = false
}

variable "enabled" {
  description = "Whether the schedule runs."
  type        = bool
  default     = true
  nullable    = false
}

variable "expression" {
  description = "When: rate(5 minutes), cron(0 8 ? * MON-FRI *) or at(2030-01-31T08:00:00)."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(rate|cron|at)\\([^()]+\\)$", var.expression))
    error_message = "expression must be rate(…), cron(…) or at(…), got '${var.expression}'."
  }
}

variable "flexible_window_min" {
  description = "Minutes within which the function may be called; null for on time."
  type        = number
  default     = null

  validation {
    condition     = var.flexible_window_min == null ? true : var.flexible_window_min >= 1 && var.flexible_window_min <= 1440
    error_message = "flexible_window_min must be from 1 to 1440, or null, got ${coalesce(var.flexible_window_min, 0)}."
  }
}

variable "function_arn" {
  description = "ARN of the alias that is called: plain text, so that a plan shows the role's policy."
  type        = string
  nullable    = false
}

variable "input" {
  description = "The event the function gets, as JSON."
  type        = string
  default     = "{}"
  nullable    = false

  validation {
    condition     = can(jsondecode(var.input))
    error_message = "input must be JSON, got '${var.input}'."
  }
}

variable "name" {
  description = "Name of the schedule and of its group; the role's is the same with .schedule, the dead-letter queue's with -dead-letter."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,55}$", var.name))
    error_message = "name must be 1 to 55 letters, digits, hyphens or underscores (64 with .schedule), got '${var.name}' (${length(var.name)})."
  }
}

variable "permissions_boundary" {
  description = "ARN of an IAM policy that bounds the schedule's role; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of an IAM policy, got '${coalesce(var.permissions_boundary, "null")}'."
  }
}

variable "place" {
  description = "Where the schedule is; ARNs are built from it."
  type = object({
    account_id = string
    partition  = optional(string, "aws")
    region     = string
  })
  nullable = false
}

variable "retry" {
  description = "How often and how long an invoke is tried again that Lambda would not take."
  type = object({
    attempts  = optional(number, 185)
    max_age_s = optional(number, 86400)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.retry.attempts >= 0 && var.retry.attempts <= 185 && var.retry.max_age_s >= 60 && var.retry.max_age_s <= 86400
    error_message = "retry.attempts must be from 0 to 185 and retry.max_age_s from 60 to 86400, got ${var.retry.attempts} and ${var.retry.max_age_s}."
  }
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "timezone" {
  description = "Time zone in which the expression is read, with its summer time."
  type        = string
  default     = "UTC"
  nullable    = false
}
