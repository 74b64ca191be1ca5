variable "groups" {
  description = "What CodeDeploy shifts, by any key: the function, whose name the group gets, how callers come, the alarms that end it, and the functions it asks, by lifecycle event."
  type = map(object({
    function_name = string
    strategy      = optional(string, "at-once")
    percent       = optional(number, 10)
    minutes       = optional(number, 5)
    alarms        = optional(list(string), [])
    hooks         = optional(map(string), {})
    tags          = optional(map(string), {})
  }))
  nullable = false

  validation {
    condition     = alltrue([for group in var.groups : can(regex("^[a-zA-Z0-9_-]{1,53}$", group.function_name))])
    error_message = "function_name must be 1 to 53 letters, digits, hyphens or underscores, so that the role may have .codedeploy behind it, got ${join(", ", values(var.groups)[*].function_name)}."
  }

  validation {
    condition     = alltrue([for group in var.groups : contains(["at-once", "canary", "linear"], group.strategy)])
    error_message = "strategy must be at-once, canary or linear, got ${join(", ", values(var.groups)[*].strategy)}."
  }

  validation {
    condition     = alltrue([for group in var.groups : group.percent >= 1 && group.percent <= 99])
    error_message = "percent must be from 1 to 99, got ${join(", ", values(var.groups)[*].percent)}."
  }

  # https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
  validation {
    condition     = alltrue([for group in var.groups : group.minutes >= 1 && group.minutes * (group.strategy == "linear" ? ceil(100 / group.percent) - 1 : 1) <= 2880])
    error_message = "minutes must be at least 1, and at most 2880 between the first step and the last, got ${join(", ", [for group in var.groups : "${group.strategy} of ${group.percent} % with ${group.minutes}"])}."
  }

  validation {
    condition     = alltrue([for group in var.groups : length(setsubtract(keys(group.hooks), ["BeforeAllowTraffic", "AfterAllowTraffic"])) == 0])
    error_message = "hooks must be for BeforeAllowTraffic or AfterAllowTraffic, got ${join(", ", flatten([for group in var.groups : keys(group.hooks)]))}."
  }
}

variable "name" {
  description = "The application's name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,100}$", var.name))
    error_message = "name must be 1 to 100 letters, digits or +=,.@_-, got '${var.name}' (${length(var.name)})."
  }
}

variable "permissions_boundary" {
  description = "ARN of an IAM policy that bounds the roles; null for none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::[^:]+:policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of an IAM policy, got '${coalesce(var.permissions_boundary, "null")}'."
  }
}

variable "place" {
  description = "Where it is."
  type = object({
    partition  = optional(string, "aws")
    region     = string
    account_id = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.place.account_id))
    error_message = "place.account_id must be 12 digits, got '${var.place.account_id}'."
  }
}
