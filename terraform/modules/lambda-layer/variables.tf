variable "architectures" {
  description = "Instruction sets the layer's bytes run on: x86_64, arm64 or both."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.architectures) > 0 && length(setsubtract(var.architectures, ["x86_64", "arm64"])) == 0
    error_message = "architectures must be x86_64, arm64 or both, got [${join(", ", var.architectures)}]."
  }
}

variable "description" {
  description = "What the layer is for."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = length(var.description) <= 256
    error_message = "description may have 256 characters, got ${length(var.description)}."
  }
}

variable "name" {
  description = "The layer's name on AWS."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,140}$", var.name))
    error_message = "name must be 1 to 140 letters, digits, hyphens or underscores, got '${var.name}'."
  }
}

variable "runtimes" {
  description = "Runtimes the layer is for, such as python3.13."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.runtimes) > 0 && length(var.runtimes) <= 15 && alltrue([for r in var.runtimes : can(regex("^python3\\.[0-9]{1,2}$", r))])
    error_message = "runtimes must be 1 to 15 Python runtimes such as python3.13, got [${join(", ", var.runtimes)}]."
  }
}

variable "zip" {
  description = "A published zip."
  type = object({
    bucket        = string
    key           = string
    digest_base64 = string
  })
  nullable = false
}
