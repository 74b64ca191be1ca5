variable "architecture" {
  description = "Instruction set: x86_64 or arm64."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64, got '${var.architecture}'."
  }
}

variable "asynchronous" {
  description = "What happens to events that nobody waits for; null for what Lambda does by itself: two retries within six hours. A failure_queue is made here, and replaces on_failure."
  type = object({
    retries         = optional(number, 2)
    max_age_s       = optional(number, 21600)
    failure_queue   = optional(bool, false)
    on_failure      = optional(string)
    on_success      = optional(string)
    dead_letter_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.asynchronous == null ? true : var.asynchronous.retries >= 0 && var.asynchronous.retries <= 2 && var.asynchronous.max_age_s >= 60 && var.asynchronous.max_age_s <= 21600
    error_message = "asynchronous must have retries from 0 to 2 and max_age_s from 60 to 21600, got ${try(var.asynchronous.retries, 0)} and ${try(var.asynchronous.max_age_s, 0)}."
  }

  validation {
    condition     = var.asynchronous == null ? true : !(var.asynchronous.failure_queue && var.asynchronous.on_failure != null)
    error_message = "asynchronous must have failure_queue or on_failure, got both: ${try(coalesce(var.asynchronous.on_failure), "")}."
  }
}

variable "description" {
  description = "What the function is for."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.description) <= 256
    error_message = "description may have 256 characters, got ${length(var.description)}."
  }
}

variable "environment" {
  description = "Environment variables and the KMS key that encrypts them; null for Lambda's own key."
  type = object({
    variables   = optional(map(string), {})
    kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in keys(var.environment.variables) : can(regex("^[a-zA-Z]([a-zA-Z0-9_])+$", key))])
    error_message = "The name of an environment variable must be two or more letters, digits or underscores, starting with a letter, got ${join(", ", keys(var.environment.variables))}."
  }
}

variable "image" {
  description = "An image in ECR, by digest, and what is started in it; null for a zip. Null, and an empty list, is what the image says itself."
  type = object({
    uri               = string
    command           = optional(list(string), [])
    entry_point       = optional(list(string), [])
    working_directory = optional(string)
  })
  default = null

  validation {
    condition     = var.image == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.image.uri))
    error_message = "image.uri must end in @sha256:<64 hex digits>, because a tag may move, got '${try(var.image.uri, "null")}'."
  }
}

variable "limits" {
  description = "What an invocation may use; reserved_concurrency null reserves none."
  type = object({
    memory_mb            = optional(number, 128)
    timeout_s            = optional(number, 3)
    ephemeral_storage_mb = optional(number, 512)
    reserved_concurrency = optional(number)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.limits.memory_mb >= 128 && var.limits.memory_mb <= 10240 && floor(var.limits.memory_mb) == var.limits.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240, got ${var.limits.memory_mb}."
  }

  validation {
    condition     = var.limits.timeout_s >= 1 && var.limits.timeout_s <= 900 && floor(var.limits.timeout_s) == var.limits.timeout_s
    error_message = "timeout_s must be a whole number from 1 to 900, got ${var.limits.timeout_s}."
  }

  validation {
    condition     = var.limits.ephemeral_storage_mb >= 512 && var.limits.ephemeral_storage_mb <= 10240
    error_message = "ephemeral_storage_mb must be from 512 to 10240, got ${var.limits.ephemeral_storage_mb}."
  }

  validation {
    condition     = coalesce(var.limits.reserved_concurrency, 0) >= 0
    error_message = "reserved_concurrency must be 0 (never runs) or more, or null (none reserved), got ${coalesce(var.limits.reserved_concurrency, 0)}."
  }
}

variable "logging" {
  description = "Retention of the log group, the lowest level that reaches it, and whether X-Ray traces invocations."
  type = object({
    retention_days    = optional(number, 30)
    application_level = optional(string, "INFO")
    system_level      = optional(string, "INFO") # WARN would keep Lambda's REPORT of every invocation back
    tracing           = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
    condition = contains([
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
    ], var.logging.retention_days)
    error_message = "retention_days must be a value CloudWatch Logs knows (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, ...), got ${var.logging.retention_days}."
  }

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], var.logging.application_level)
    error_message = "application_level must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL, got '${var.logging.application_level}'."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN"], var.logging.system_level)
    error_message = "system_level must be DEBUG, INFO or WARN, got '${var.logging.system_level}'."
  }
}

variable "name" {
  description = "The function's name on AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens or underscores, got '${var.name}' (${length(var.name)})."
  }
}

variable "network" {
  description = "Subnets and security groups of a VPC, and an EFS access point to mount there, whose mount targets exist; null for no VPC."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    ipv6               = optional(bool, false)
    file_system = optional(object({
      arn   = string
      mount = string
    }))
  })
  default = null

  validation {
    condition     = var.network == null ? true : length(var.network.subnet_ids) > 0 && length(var.network.security_group_ids) > 0
    error_message = "network must have subnets and security groups, got ${try(length(var.network.subnet_ids), 0)} and ${try(length(var.network.security_group_ids), 0)}."
  }

  validation {
    condition     = try(var.network.file_system, null) == null ? true : can(regex("^/mnt(/[a-zA-Z0-9_.-]+)+$", var.network.file_system.mount))
    error_message = "file_system.mount must be a path below /mnt, got '${try(var.network.file_system.mount, "")}'."
  }
}

variable "role_arn" {
  description = "Role the function runs as; it may be used only once its policy exists."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags of the function, its log group and its queue of failures."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "zip" {
  description = "A published zip and how to run it, layers merged in this order; null for an image, which can be neither signed nor snapshotted."
  type = object({
    bucket                  = string
    key                     = string
    digest_base64           = string
    runtime                 = string
    handler                 = string
    layers                  = optional(list(string), [])
    code_signing_config_arn = optional(string)
    snap_start              = optional(bool, false)
  })
  default = null

  validation {
    condition     = (var.zip == null) != (var.image == null)
    error_message = "A function needs zip or image, got ${var.zip == null ? "neither" : "both"}."
  }

  validation {
    condition     = var.zip == null ? true : can(regex("^python3\\.[0-9]{1,2}$", var.zip.runtime))
    error_message = "zip.runtime must be a Python runtime such as python3.13, got '${try(var.zip.runtime, "")}'."
  }

  validation {
    condition     = var.zip == null ? true : length(var.zip.layers) <= 5
    error_message = "A function may have 5 layers, got ${try(length(var.zip.layers), 0)}."
  }

  # https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
  validation {
    condition     = !try(var.zip.snap_start, false) || try(var.network.file_system, null) == null && var.limits.ephemeral_storage_mb == 512
    error_message = "snap_start must be without a file system and with 512 MB of ephemeral storage, got ${try(var.network.file_system.mount, "no file system")} and ${var.limits.ephemeral_storage_mb} MB."
  }
}
