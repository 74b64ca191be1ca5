variable "batch" {
  description = "Most messages of one invocation, and the longest wait for them in seconds, which a FIFO queue has not."
  type = object({
    size     = optional(number, 10)
    window_s = optional(number, 0)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.batch.size >= 1 && var.batch.size <= 10000 && var.batch.window_s >= 0 && var.batch.window_s <= 300
    error_message = "batch.size must be from 1 to 10000 and batch.window_s from 0 to 300, got ${var.batch.size} and ${var.batch.window_s}."
  }

  validation {
    condition     = var.batch.size <= 10 || var.batch.window_s >= 1
    error_message = "A batch.size above 10 needs a batch.window_s of 1 or more, got ${var.batch.size} and ${var.batch.window_s}."
  }

  validation {
    condition     = var.batch.window_s == 0 || !var.fifo && !endswith(try(var.existing.arn, ""), ".fifo")
    error_message = "batch.window_s must be 0 for a FIFO queue, got ${var.batch.window_s}."
  }
}

variable "enabled" {
  description = "Whether the queue is read."
  type        = bool
  default     = true
  nullable    = false
}

variable "existing" {
  description = "The queue where it is there already; null makes one with a dead-letter queue behind it."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.existing == null ? true : can(regex("^arn:[^:]+:sqs:${var.place.region}:[0-9]{12}:[a-zA-Z0-9_.-]+$", var.existing.arn))
    error_message = "existing.arn must be the ARN of a queue in ${var.place.region}, got '${try(var.existing.arn, "")}'."
  }
}

variable "fifo" {
  description = "Whether the queue that is made keeps the order of messages of a group; an existing one's name tells."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.fifo || var.existing == null
    error_message = "fifo is for a queue that is made, got fifo and the existing queue '${try(var.existing.arn, "")}'."
  }
}

variable "filters" {
  description = "Patterns as JSON: a message that none of them fits is deleted unread."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filters) <= 5 && alltrue([for filter in var.filters : can(keys(jsondecode(filter)))])
    error_message = "filters must be up to 5 JSON objects, got ${length(var.filters)}: ${join(" ", var.filters)}."
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
  description = "The queue's name; the dead-letter queue's is the same with -dead-letter, and .fifo ends both where it must."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]+$", var.name)) && length(var.name) <= (var.fifo ? 63 : 68)
    error_message = "name must be 1 to ${var.fifo ? 63 : 68} letters, digits, hyphens or underscores (80 with -dead-letter${var.fifo ? ".fifo" : ""}), got '${var.name}' (${length(var.name)})."
  }
}

variable "place" {
  description = "Where the function is; ARNs are built from it."
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
