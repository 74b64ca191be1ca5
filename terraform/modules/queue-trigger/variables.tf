variable "batch_size" {
  description = "Most messages of one invocation."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= 10000
    error_message = "batch_size must be from 1 to 10000, got ${var.batch_size}."
  }

  validation {
    condition     = var.batch_size <= 10 || var.batch_window_s >= 1
    error_message = "A batch_size above 10 needs a batch_window_s of 1 or more, got batch_size ${var.batch_size} and batch_window_s ${var.batch_window_s}."
  }
}

variable "batch_window_s" {
  description = "Longest wait for a batch to fill, in seconds."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.batch_window_s >= 0 && var.batch_window_s <= 300
    error_message = "batch_window_s must be from 0 to 300, got ${var.batch_window_s}."
  }
}

variable "function_arn" {
  description = "ARN of the alias that reads the queue; its role must already be allowed to."
  type        = string
  nullable    = false
}

variable "function_timeout" {
  description = "The function's timeout in seconds: a message stays invisible six times as long."
  type        = number
  nullable    = false
}

variable "max_concurrency" {
  description = "Most invocations at once for this queue; null for as many as the account has."
  type        = number
  default     = null

  validation {
    condition     = var.max_concurrency == null ? true : var.max_concurrency >= 2 && var.max_concurrency <= 1000
    error_message = "max_concurrency must be from 2 to 1000, or null, got ${coalesce(var.max_concurrency, 0)}."
  }
}

variable "max_receive_count" {
  description = "Deliveries of one message before it goes to the dead-letter queue."
  type        = number
  default     = 5
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be from 1 to 1000, got ${var.max_receive_count}."
  }
}

variable "name" {
  description = "The queue's name; the dead-letter queue's is the same with -dead-letter."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,68}$", var.name))
    error_message = "name must be 1 to 68 letters, digits, hyphens or underscores (80 with -dead-letter), got '${var.name}' (${length(var.name)})."
  }
}
