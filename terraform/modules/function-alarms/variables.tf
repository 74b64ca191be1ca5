variable "actions" {
  description = "ARNs that are told when an alarm goes off and when it is over, of SNS topics as a rule."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    condition     = length(var.actions) <= 5
    error_message = "An alarm may tell 5, got ${length(var.actions)} actions."
  }
}

variable "dead_letter_queues" {
  description = "Names of the queues of what the function gave up; each begins with the function's name."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for queue in var.dead_letter_queues : startswith(queue, "${var.function_name}-")])
    error_message = "The name of a dead-letter queue must begin with '${var.function_name}-', got ${join(", ", var.dead_letter_queues)}."
  }
}

variable "function_name" {
  description = "The function's name on AWS; what callers reach is its alias live."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.function_name))
    error_message = "function_name must be 1 to 64 letters, digits, hyphens or underscores, got '${var.function_name}' (${length(var.function_name)})."
  }
}

variable "thresholds" {
  description = "What sets an alarm off: errors and throttles within five minutes, the longest invoke as a share of the timeout, messages in a dead-letter queue."
  type = object({
    errors           = optional(number, 1)
    throttles        = optional(number, 1)
    duration_percent = optional(number, 90)
    dead_letters     = optional(number, 1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = min(var.thresholds.errors, var.thresholds.throttles, var.thresholds.dead_letters) >= 1
    error_message = "errors, throttles and dead_letters must be at least 1, got ${var.thresholds.errors}, ${var.thresholds.throttles} and ${var.thresholds.dead_letters}."
  }

  validation {
    condition     = var.thresholds.duration_percent >= 1 && var.thresholds.duration_percent <= 100
    error_message = "duration_percent must be from 1 to 100, got ${var.thresholds.duration_percent}."
  }
}

variable "timeout_s" {
  description = "The function's timeout in seconds."
  type        = number
  nullable    = false

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 900
    error_message = "timeout_s must be from 1 to 900, got ${var.timeout_s}."
  }
}
