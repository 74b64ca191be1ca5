variable "alias" {
  description = "The alias that is called."
  type        = string
  nullable    = false
}

variable "auth" {
  description = "Who may call: iam, callers that sign their requests; none, anybody on the internet."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["iam", "none"], var.auth)
    error_message = "auth must be iam or none, got '${var.auth}'."
  }
}

variable "cors" {
  description = "Which pages of other origins may call; null for none."
  type = object({
    allow_origins     = set(string)
    allow_methods     = optional(set(string), ["*"])
    allow_headers     = optional(set(string), [])
    expose_headers    = optional(set(string), [])
    allow_credentials = optional(bool, false)
    max_age_s         = optional(number, 0)
  })
  default = null

  validation {
    condition     = var.cors == null ? true : !(var.cors.allow_credentials && contains(var.cors.allow_origins, "*"))
    error_message = "With allow_credentials, allow_origins must name origins, got ${try(join(", ", var.cors.allow_origins), "")}."
  }

  validation {
    # Preflight requests are Lambda's own business: https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html
    condition     = var.cors == null ? true : length(setsubtract(var.cors.allow_methods, ["*", "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"])) == 0
    error_message = "allow_methods of a function URL must be *, DELETE, GET, HEAD, PATCH, POST or PUT, got ${try(join(", ", var.cors.allow_methods), "")}."
  }
}

variable "function_name" {
  description = "The function's name on AWS."
  type        = string
  nullable    = false
}

variable "package_type" {
  description = "Zip or Image: between them Lambda makes a function anew, and forgets who may call it."
  type        = string
  default     = "Zip"
  nullable    = false
}

variable "reason" {
  description = "Why anybody may call; needed with auth none."
  type        = string
  default     = null

  validation {
    condition     = var.auth != "none" || try(length(trimspace(var.reason)) > 0, false)
    error_message = "auth none needs a reason, as anybody on the internet may call, got ${jsonencode(var.reason)}."
  }
}

variable "streaming" {
  description = "Whether the answer is streamed."
  type        = bool
  default     = false
  nullable    = false
}
