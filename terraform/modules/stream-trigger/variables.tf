variable "batch" {
  description = "Most records of one invocation, longest wait for them in seconds, and how many batches of a shard at once."
  type = object({
    parallel = optional(number, 1)
    size     = optional(number, 100)
    window_s = optional(number, 0)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.batch.size >= 1 && var.batch.size <= 10000 && var.batch.window_s >= 0 && var.batch.window_s <= 300
    error_message = "batch.size must be from 1 to 10000 and batch.window_s from 0 to 300, got ${var.batch.size} and ${var.batch.window_s}."
  }

  validation {
    condition     = var.batch.parallel >= 1 && var.batch.parallel <= 10
    error_message = "batch.parallel must be from 1 to 10, got ${var.batch.parallel}."
  }
}

variable "enabled" {
  description = "Whether the stream is read."
  type        = bool
  default     = true
  nullable    = false
}

variable "existing" {
  description = "The stream where it is there already; null makes one."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.existing == null ? true : can(regex({ kinesis = "^arn:[^:]+:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]+$", dynamodb = "^arn:[^:]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[a-zA-Z0-9_.-]+/stream/.+$" }[var.kind], var.existing.arn))
    error_message = "existing.arn must be the ARN of a ${var.kind == "kinesis" ? "Kinesis stream" : "DynamoDB table's stream (…:table/NAME/stream/…)"}, got '${try(var.existing.arn, "")}'."
  }
}

variable "failures" {
  description = "What becomes of a batch that fails: halved or not, tried again how often and how long (null: as long as the stream keeps it), then told to an ARN, or (null) to a queue that is made."
  type = object({
    bisect     = optional(bool, true)
    max_age_s  = optional(number)
    on_failure = optional(object({ arn = string }))
    retries    = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.failures.retries >= 0 && var.failures.retries <= 10000
    error_message = "failures.retries must be from 0 to 10000, got ${var.failures.retries}."
  }

  validation {
    condition     = coalesce(var.failures.max_age_s, 60) >= 60 && coalesce(var.failures.max_age_s, 60) <= 604800
    error_message = "failures.max_age_s must be from 60 to 604800, or null, got ${coalesce(var.failures.max_age_s, 0)}."
  }

  validation {
    condition     = var.failures.on_failure == null ? true : can(regex("^arn:[^:]+:(sqs|sns|s3):", var.failures.on_failure.arn))
    error_message = "failures.on_failure.arn must be the ARN of a queue, topic or bucket, got '${try(var.failures.on_failure.arn, "")}'."
  }
}

variable "filters" {
  description = "Patterns as JSON: a record that none of them fits is passed over."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.filters) <= 5 && alltrue([for filter in var.filters : can(keys(jsondecode(filter)))])
    error_message = "filters must be up to 5 JSON objects, got ${length(var.filters)}: ${join(" ", var.filters)}."
  }
}

variable "function_arn" {
  description = "ARN of the alias that reads the stream; its role must already be allowed to, and to tell of failures."
  type        = string
  nullable    = false
}

variable "keys" {
  description = "Names of the text attributes that are the key of a table that is made; sort is optional."
  type = object({
    partition = string
    sort      = optional(string)
  })
  default = null

  validation {
    condition     = (var.keys != null) == (var.kind == "dynamodb" && var.existing == null)
    error_message = "keys are for a DynamoDB table that is made, and required for it, got ${var.keys == null ? "none" : "some"} with kind ${var.kind} and ${var.existing == null ? "no existing stream" : "an existing stream"}."
  }
}

variable "kind" {
  description = "What kind of stream: kinesis, or dynamodb for the changes of a table."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["dynamodb", "kinesis"], var.kind)
    error_message = "kind must be kinesis or dynamodb, got '${var.kind}'."
  }
}

variable "name" {
  description = "Name of the stream or table; the dead-letter queue's is the same with -dead-letter."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{3,68}$", var.name))
    error_message = "name must be 3 to 68 letters, digits, hyphens or underscores (80 with -dead-letter), got '${var.name}' (${length(var.name)})."
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

variable "start" {
  description = "Where reading starts: latest, at what comes from now on, or trim-horizon, at the oldest record."
  type        = string
  default     = "latest"
  nullable    = false

  validation {
    condition     = contains(["latest", "trim-horizon"], var.start)
    error_message = "start must be latest or trim-horizon, got '${var.start}'."
  }
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
  nullable    = false
}
