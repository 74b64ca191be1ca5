variable "alias" {
  description = "The alias that is called: its name and its ARN."
  type = object({
    name = string
    arn  = string
  })
  nullable = false
}

variable "function_name" {
  description = "The function's name on AWS."
  type        = string
  nullable    = false
}

variable "health_check_path" {
  description = "Path that is asked whether the function is well; null: it is not asked."
  type        = string
  default     = null

  validation {
    condition     = var.health_check_path == null ? true : startswith(var.health_check_path, "/") && length(var.health_check_path) <= 1024
    error_message = "health_check_path must start with a slash and have at most 1024 characters, got '${coalesce(var.health_check_path, "null")}'."
  }
}

variable "multi_value_headers" {
  description = "Whether headers and query parameters come as lists."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "The target group's name; one of a kind in account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name must be 1 to 32 letters, digits or hyphens, without a hyphen first or last and not starting with internal-, got '${var.name}' (${length(var.name)})."
  }
}

variable "rule" {
  description = "The listener's rule that sends requests here, when all kinds of conditions are met, each by one of its values; null: it is made elsewhere."
  type = object({
    listener_arn = string
    priority     = number
    paths        = optional(set(string), [])
    hosts        = optional(set(string), [])
    methods      = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.rule == null ? true : var.rule.priority >= 1 && var.rule.priority <= 50000
    error_message = "priority must be from 1 to 50000, got ${try(var.rule.priority, 0)}."
  }

  validation {
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
    condition     = var.rule == null ? true : contains([1, 2, 3, 4, 5], length(var.rule.paths) + length(var.rule.hosts) + length(var.rule.methods))
    error_message = "A rule needs 1 to 5 paths, hosts and methods together, got ${try(join(", ", var.rule.paths, var.rule.hosts, var.rule.methods), "none")}."
  }
}
