variable "existing" {
  description = "The bucket where it is there already, in the same account; null makes one."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.existing == null ? true : can(regex("^arn:${var.place.partition}:s3:::[a-z0-9.-]{3,63}$", var.existing.arn))
    error_message = "existing.arn must be the ARN of a bucket, got '${try(var.existing.arn, "")}'."
  }
}

variable "functions" {
  description = "Who gets which events, by a name that stays: each function's alias, kinds of events, and what keys begin and end with."
  type = map(object({
    alias  = string
    arn    = string
    events = optional(list(string), ["s3:ObjectCreated:*"])
    name   = string
    prefix = optional(string, "")
    suffix = optional(string, "")
  }))
  nullable = false

  validation {
    condition     = length(var.functions) > 0 && alltrue([for key in keys(var.functions) : can(regex("^[a-zA-Z0-9_-]{1,93}$", key))])
    error_message = "functions must be one or more, by names of 1 to 93 letters, digits, hyphens or underscores (100 as bucket-<name> in the function's policy), got ${jsonencode(keys(var.functions))}."
  }

  validation {
    condition     = alltrue([for f in var.functions : length(f.events) > 0 && alltrue([for event in f.events : can(regex("^s3:[A-Za-z]+(:[A-Za-z]+|:\\*)?$", event))])])
    error_message = "events must be events of S3 such as s3:ObjectCreated:*, got ${jsonencode({ for key, f in var.functions : key => f.events })}."
  }

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
  validation {
    condition = alltrue([for pair in setproduct(keys(var.functions), keys(var.functions)) : pair[0] == pair[1] ? true : !(
      (startswith(var.functions[pair[0]].prefix, var.functions[pair[1]].prefix) || startswith(var.functions[pair[1]].prefix, var.functions[pair[0]].prefix)) &&
      (endswith(var.functions[pair[0]].suffix, var.functions[pair[1]].suffix) || endswith(var.functions[pair[1]].suffix, var.functions[pair[0]].suffix)) &&
      anytrue([for events in setproduct(var.functions[pair[0]].events, var.functions[pair[1]].events) :
        startswith(events[0], trimsuffix(events[1], "*")) || startswith(events[1], trimsuffix(events[0], "*"))
      ])
    )])
    error_message = "S3 tells one function of an event: kinds of events, prefixes and suffixes may not overlap all three, got ${jsonencode({ for key, f in var.functions : key => { events = f.events, prefix = f.prefix, suffix = f.suffix } })}."
  }
}

variable "name" {
  description = "Name of the bucket that is made."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name)) || var.existing != null
    error_message = "name must be 3 to 63 lower-case letters, digits or hyphens, got '${var.name}' (${length(var.name)})."
  }
}

variable "place" {
  description = "Whose bucket it is; ARNs are built from it."
  type = object({
    account_id = string
    partition  = optional(string, "aws")
  })
  nullable = false
}

variable "tags" {
  description = "Tags of what is made here."
  type        = map(string)
  default     = {}
  nullable    = false
}
