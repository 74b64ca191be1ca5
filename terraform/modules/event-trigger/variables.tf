variable "bus" {
  description = "Name or ARN of the event bus."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = startswith(var.bus, "arn:") ? startswith(var.bus, "arn:${var.place.partition}:events:${var.place.region}:${var.place.account_id}:event-bus/") : can(regex("^[a-zA-Z0-9/._-]{1,256}$", var.bus))
    error_message = "bus must be the name or ARN of an event bus of account ${var.place.account_id} in ${var.place.region}, got '${var.bus}'. Another account sends its events to such a bus by a rule of its own."
  }
}

variable "dead_letter" {
  description = "Whether a queue is made for events that are given up."
  type        = bool
  default     = true
  nullable    = false
}

variable "enabled" {
  description = "Whether events are delivered."
  type        = bool
  default     = true
  nullable    = false
}

variable "function" {
  description = "The function that gets the events, by its alias, and the alias's ARN."
  type = object({
    alias = string
    arn   = string
    name  = string
  })
  nullable = false
}

variable "name" {
  description = "The rule's name; the dead-letter queue's is the same with -dead-letter."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens or underscores, got '${var.name}' (${length(var.name)})."
  }
}

variable "pattern" {
  description = "Pattern as JSON of the events that are delivered."
  type        = string
  nullable    = false

  validation {
    condition     = can(keys(jsondecode(var.pattern)))
    error_message = "pattern must be a JSON object, got '${var.pattern}'."
  }
}

variable "place" {
  description = "Where the bus is; ARNs are built from it."
  type = object({
    account_id = string
    partition  = optional(string, "aws")
    region     = string
  })
  nullable = false
}

variable "retry" {
  description = "How often and how long an event is tried again that Lambda would not take."
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
