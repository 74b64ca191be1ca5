variable "functions" {
  description = "What is shown, by the functions' folder names."
  type = map(object({
    function_name      = string
    log_group          = string
    alarm_arns         = optional(list(string), [])
    dead_letter_queues = optional(list(string), []) # names
  }))
  nullable = false

  validation {
    # Six graphs of them, and 2,500 metrics on a dashboard, hidden ones too.
    condition     = length(var.functions) >= 1 && length(var.functions) <= 200
    error_message = "A dashboard shows 1 to 200 functions, got ${length(var.functions)}."
  }
}

variable "lines" {
  description = "Lines in one graph at most: with more functions it draws the highest."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.lines >= 1 && var.lines <= 100
    error_message = "lines must be from 1 to 100, got ${var.lines}."
  }
}

variable "name" {
  description = "The dashboard's name; functions and queues whose names begin with it are labelled with the rest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,255}$", var.name))
    error_message = "name must be 1 to 255 letters, digits, hyphens or underscores, got '${var.name}'."
  }
}

variable "region" {
  description = "The AWS region of the functions."
  type        = string
  nullable    = false
}
