# What operators decide for a whole env, in envs/<env>.tfvars. The hand-off never holds these.

variable "alarms" {
  description = "Whether there are alarms and a dashboard, and who is told when an alarm goes off and when it is over: ARNs of SNS topics, or {custom.NAME}."
  type = object({
    enabled = optional(bool, true)
    actions = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for action in var.alarms.actions : can(regex("^(arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+|\\{custom\\.[a-z][a-z0-9_]*\\})$", action))])
    error_message = "alarms.actions must be ARNs or {custom.NAME}, got ${join(", ", var.alarms.actions)}."
  }
}

variable "log_levels" {
  description = "Lowest level that reaches the log groups: application for the functions' own lines, system for Lambda's."
  type = object({
    application = optional(string, "INFO")
    system      = optional(string, "INFO") # WARN would keep Lambda's REPORT of every invocation back
  })
  default  = {}
  nullable = false
}

variable "permissions_boundary" {
  description = "ARN of an IAM policy that bounds every execution role; null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything, besides slipway and env."
  type        = map(string)
  default     = {}
  nullable    = false
}
