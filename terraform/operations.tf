# What operators decide for a whole env, in envs/<env>.tfvars. The hand-off never holds these.

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
