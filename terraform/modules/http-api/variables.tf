variable "authorizers" {
  description = "Who may call routes, by name: tokens of an issuer, or a key of functions that decides. identity is where the token is, or what a function's answer is remembered by for ttl_s."
  type = map(object({
    issuer   = optional(string)
    audience = optional(set(string), [])
    function = optional(string)
    identity = optional(set(string), ["$request.header.Authorization"])
    ttl_s    = optional(number, 0)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, a in var.authorizers : can(regex("^[a-zA-Z0-9_-]{1,80}$", name)) && name != "iam"])
    error_message = "The name of an authorizer must be 1 to 80 letters, digits, hyphens or underscores, and not iam, which is AWS's own, got ${join(", ", keys(var.authorizers))}."
  }

  validation {
    condition     = alltrue([for a in var.authorizers : (a.issuer == null) != (a.function == null) && (a.issuer == null || length(a.audience) > 0)])
    error_message = "An authorizer needs issuer and audience, or function, got ${jsonencode(var.authorizers)}."
  }

  validation {
    condition     = alltrue([for a in var.authorizers : a.function == null ? true : contains(keys(var.functions), a.function)])
    error_message = "The function of an authorizer must be one of ${join(", ", keys(var.functions))}, got ${join(", ", compact(values(var.authorizers)[*].function))}."
  }

  validation {
    condition     = alltrue([for a in var.authorizers : a.function == null ? length(a.identity) == 1 : length(a.identity) > 0])
    error_message = "identity must be one place for tokens, and at least one for a function, got ${jsonencode({ for name, a in var.authorizers : name => a.identity })}."
  }

  validation {
    condition     = alltrue([for a in var.authorizers : a.ttl_s >= 0 && a.ttl_s <= 3600])
    error_message = "ttl_s must be from 0 to 3600, got ${join(", ", values(var.authorizers)[*].ttl_s)}."
  }
}

variable "cors" {
  description = "Which pages of other origins may call; null for none. API Gateway answers what browsers ask before they do."
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
}

variable "domain" {
  description = "Domain at which the API answers, too, and its certificate in the API's region; null for none. path is what of it is this API's; empty for all."
  type = object({
    name            = string
    certificate_arn = string
    path            = optional(string, "")
  })
  default = null

  validation {
    condition     = var.domain == null ? true : can(regex("^([A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*)?$", var.domain.path))
    error_message = "path must be segments such as v1 or shop/v1, without a slash before or after, got '${try(var.domain.path, "")}'."
  }
}

variable "functions" {
  description = "The functions that routes and authorizers name: the alias that is called and its invoke ARN."
  type = map(object({
    function_name = string
    alias         = string
    invoke_arn    = string
  }))
  nullable = false
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

variable "routes" {
  description = "By route: the key of functions that answers it; who may call, a key of authorizers or iam, null for anybody; scopes a token must have one of; requests it takes."
  type = map(object({
    function   = string
    authorizer = optional(string)
    scopes     = optional(set(string), [])
    throttle = optional(object({
      rate_per_s = number
      burst      = number
    }))
  }))
  nullable = false

  validation {
    condition     = alltrue([for route in keys(var.routes) : route == "$default" || can(regex("^(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /", route))])
    error_message = "A route must be $default or a method and a path such as POST /orders, got ${join(", ", keys(var.routes))}."
  }

  validation {
    condition     = alltrue([for r in var.routes : contains(keys(var.functions), r.function)])
    error_message = "The function of a route must be one of ${join(", ", keys(var.functions))}, got ${join("; ", [for route, r in var.routes : "${route}: ${r.function}"])}."
  }

  validation {
    condition     = alltrue([for r in var.routes : r.authorizer == null ? true : contains(concat(["iam"], keys(var.authorizers)), r.authorizer)])
    error_message = "The authorizer of a route must be one of ${join(", ", concat(["iam"], keys(var.authorizers)))}, or null, got ${join("; ", [for route, r in var.routes : "${route}: ${r.authorizer}" if r.authorizer != null])}."
  }

  validation {
    condition     = alltrue([for r in var.routes : length(r.scopes) == 0 || try(var.authorizers[r.authorizer].function == null, false)])
    error_message = "Scopes need an authorizer that reads tokens, got ${join("; ", [for route, r in var.routes : "${route}: ${coalesce(r.authorizer, "no authorizer")}" if length(r.scopes) > 0])}."
  }

  validation {
    condition     = alltrue([for r in var.routes : r.throttle == null ? true : r.throttle.rate_per_s >= 1 && r.throttle.burst >= 1])
    error_message = "rate_per_s and burst must be at least 1, as 0 refuses every request, got ${jsonencode({ for route, r in var.routes : route => r.throttle if r.throttle != null })}."
  }
}

variable "throttle" {
  description = "Requests that a route without a throttle of its own takes; null for the account's bound."
  type = object({
    rate_per_s = number
    burst      = number
  })
  default = null

  validation {
    condition     = var.throttle == null ? true : var.throttle.rate_per_s >= 1 && var.throttle.burst >= 1
    error_message = "rate_per_s and burst must be at least 1, as 0 refuses every request, got ${jsonencode(var.throttle)}."
  }
}
