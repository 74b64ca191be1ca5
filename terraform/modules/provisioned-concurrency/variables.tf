variable "alias" {
  description = "Alias whose version is kept ready."
  type        = string
  nullable    = false

  validation {
    condition     = var.alias != "$LATEST" && can(regex("^[a-zA-Z0-9_-]{1,128}$", var.alias))
    error_message = "alias must be the name of an alias, got '${var.alias}'."
  }
}

variable "concurrency" {
  description = "Execution environments kept ready; with max, at least."
  type        = number
  nullable    = false

  validation {
    condition     = var.concurrency >= 1 && floor(var.concurrency) == var.concurrency
    error_message = "concurrency must be a whole number of at least 1, got ${var.concurrency}."
  }
}

variable "function_name" {
  description = "Name of the function."
  type        = string
  nullable    = false
}

variable "max" {
  description = "Execution environments at most, as their use demands; null to keep exactly concurrency."
  type        = number
  default     = null

  validation {
    condition     = var.max == null ? true : var.max >= var.concurrency && floor(var.max) == var.max
    error_message = "max must be a whole number of at least concurrency, ${var.concurrency}, got ${coalesce(var.max, 0)}."
  }
}

variable "schedules" {
  description = "From when on other bounds hold, by name."
  type = map(object({
    expression = string
    timezone   = optional(string, "UTC")
    min        = number
    max        = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.schedules) == 0 || var.max != null
    error_message = "schedules must come with max, got none beside ${join(", ", keys(var.schedules))}."
  }

  validation {
    condition     = alltrue([for each in var.schedules : each.min >= 0 && each.min <= each.max && can(regex("^(rate|cron|at)\\(.+\\)$", each.expression))])
    error_message = "A schedule must have an expression rate(…), cron(…) or at(…), and min of at most max, got ${jsonencode(var.schedules)}."
  }
}

variable "target_percent" {
  description = "Share of the environments in use that is aimed at; with max."
  type        = number
  default     = 70
  nullable    = false

  # https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
  validation {
    condition     = var.target_percent >= 10 && var.target_percent <= 90
    error_message = "target_percent must be from 10 to 90, got ${var.target_percent}."
  }
}
