variable "functions" {
  description = "What answers which routes, by folder name: the alias that is called and its invoke ARN."
  type = map(object({
    routes        = set(string)
    function_name = string
    alias         = string
    invoke_arn    = string
  }))
  nullable = false

  validation {
    condition = alltrue([for route in flatten([for f in var.functions : tolist(f.routes)]) :
      route == "$default" || can(regex("^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /", route))
    ])
    error_message = "A route must be $default or a method and a path such as POST /orders, got ${join(", ", flatten([for f in var.functions : tolist(f.routes)]))}."
  }

  validation {
    condition     = length(flatten([for f in var.functions : tolist(f.routes)])) == length(distinct(flatten([for f in var.functions : tolist(f.routes)])))
    error_message = "A route belongs to one function, got ${join("; ", [for name, f in var.functions : "${name}: ${join(", ", f.routes)}"])}."
  }
}

variable "log_retention_days" {
  description = "Days the access logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "name" {
  description = "The API's name."
  type        = string
  nullable    = false
}
