# The hand-off: Python writes every one of these values to .artifacts/<env>/handoff.tfvars.json. Nothing is optional, so that
# a key one side forgets is an error here. Terraform drops keys it does not know without a word: tests/terraform compares both
# sides. What operators set by hand is in operations.tf.

variable "schema_version" {
  description = "Version of the hand-off's shape."
  type        = number
  nullable    = false

  validation {
    condition     = var.schema_version == 1
    error_message = "This root reads hand-offs of schema_version 1, got ${var.schema_version}: build and terraform/ are from different versions of Slipway."
  }
}

variable "account_id" {
  description = "The only AWS account this env may be deployed to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, got '${var.account_id}'."
  }
}

variable "artifact_bucket" {
  description = "S3 bucket that holds every published artifact under its digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifact_bucket))
    error_message = "artifact_bucket must be an S3 bucket name (3 to 63 lower-case letters, digits, dots, hyphens), got '${var.artifact_bucket}'."
  }
}

variable "env" {
  description = "The env; with name, the prefix of every AWS name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.env))
    error_message = "env must be lower-case letters, digits and hyphens, starting with a letter, got '${var.env}'."
  }
}

variable "functions" {
  description = "Every function of the env, by the name of its folder."
  type = map(object({
    description  = string
    runtime      = string
    architecture = string
    handler      = string
    package_type = string
    artifact = object({ # null when package_type is Image
      key           = string
      digest_hex    = string
      digest_base64 = string
      size_bytes    = number
    })
    image_uri            = string       # null when package_type is Zip
    layers               = list(string) # keys of var.layers, or ARNs of layer versions
    memory_mb            = number
    timeout_s            = number
    ephemeral_storage_mb = number
    environment          = map(string)
    log_retention_days   = number
    reserved_concurrency = number # null: none reserved
    permissions = list(object({
      actions   = list(string)
      resources = list(string)
      reason    = string # null unless there is a wildcard
    }))
    http_routes = list(string)
    queues = map(object({
      batch_size        = number
      batch_window_s    = number
      max_receive_count = number
      max_concurrency   = number # null: as many as the account has
    }))
  }))
  nullable = false

  validation {
    condition = alltrue([for f in var.functions :
      f.package_type == "Zip" ? f.artifact != null && f.image_uri == null :
      f.package_type == "Image" ? f.artifact == null && f.image_uri != null : false
    ])
    error_message = "A Zip function needs artifact and no image_uri, an Image function image_uri and no artifact; run `invoke build`. Got ${join(", ", [
      for name, f in var.functions : "${name}: ${f.package_type} with ${f.artifact == null ? "no artifact" : "an artifact"} and ${f.image_uri == null ? "no image_uri" : "an image_uri"}"
    ])}."
  }

  validation {
    condition = alltrue([for f in values(var.functions)[*].artifact : f == null ? true :
      can(regex("^[0-9a-f]{64}$", f.digest_hex)) && can(regex("^[A-Za-z0-9+/]{43}=$", f.digest_base64)) && strcontains(f.key, f.digest_hex)
    ])
    error_message = "An artifact needs digest_hex (64 hex digits), digest_base64 (44 characters) and a key that contains digest_hex, got ${join(", ", [
      for name, f in var.functions : "${name}: key '${f.artifact.key}', digest_hex '${f.artifact.digest_hex}', digest_base64 '${f.artifact.digest_base64}'" if f.artifact != null
    ])}."
  }

  validation {
    condition = alltrue(flatten([for f in var.functions : [for layer in f.layers : startswith(layer, "arn:") || contains(keys(var.layers), layer)]]))
    error_message = "Every layer of a function must be an ARN or one of the hand-off's layers (${join(", ", keys(var.layers))}), got ${join("; ", [
      for name, f in var.functions : "${name}: ${join(", ", f.layers)}" if length(f.layers) > 0
    ])}."
  }

  validation {
    condition     = length(flatten(values(var.functions)[*].http_routes)) == length(distinct(flatten(values(var.functions)[*].http_routes)))
    error_message = "A route belongs to one function, got ${join("; ", [for name, f in var.functions : "${name}: ${join(", ", f.http_routes)}" if length(f.http_routes) > 0])}."
  }
}

variable "layers" {
  description = "Every Lambda layer of the env, by its folder's name; with the architecture where the bytes differ by architecture."
  type = map(object({
    description   = string
    runtimes      = list(string)
    architectures = list(string)
    artifact = object({
      key           = string
      digest_hex    = string
      digest_base64 = string
      size_bytes    = number
    })
  }))
  nullable = false

  validation {
    condition = alltrue([for layer in var.layers :
      can(regex("^[0-9a-f]{64}$", layer.artifact.digest_hex)) && can(regex("^[A-Za-z0-9+/]{43}=$", layer.artifact.digest_base64)) && strcontains(layer.artifact.key, layer.artifact.digest_hex)
    ])
    error_message = "An artifact needs digest_hex (64 hex digits), digest_base64 (44 characters) and a key that contains digest_hex, got ${join(", ", [
      for name, layer in var.layers : "${name}: key '${layer.artifact.key}', digest_hex '${layer.artifact.digest_hex}', digest_base64 '${layer.artifact.digest_base64}'"
    ])}."
  }
}

variable "name" {
  description = "The repository's name; with env, the prefix of every AWS name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "name must be lower-case letters, digits and hyphens, starting with a letter, got '${var.name}'."
  }
}

variable "region" {
  description = "The AWS region of the env."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]$", var.region))
    error_message = "region must be an AWS region such as eu-central-1, got '${var.region}'."
  }
}
