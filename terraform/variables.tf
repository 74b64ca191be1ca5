# The hand-off: Python writes every one of these values to .artifacts/<env>/handoff.tfvars.json. Nothing is optional, so that
# a key one side forgets is an error here. Terraform drops keys it does not know without a word: tests/terraform compares both
# sides. What operators set by hand is in operations.tf.

variable "schema_version" {
  description = "Version of the hand-off's shape."
  type        = number
  nullable    = false

  validation {
    condition     = var.schema_version == 2
    error_message = "This root reads hand-offs of schema_version 2, got ${var.schema_version}: build and terraform/ are from different versions of Slipway."
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
    managed_policies = list(string)
    secrets = map(object({ # by environment variable
      arn         = string
      kms_key_arn = string # null: AWS's own key
    }))
    network = object({ # null: no VPC
      subnet_ids         = list(string)
      security_group_ids = list(string)
      ipv6               = bool
    })
    file_system = object({ # null: none
      arn   = string
      mount = string
    })
    image_config = object({ # null: as the image says
      command           = list(string)
      entry_point       = list(string)
      working_directory = string
    })
    asynchronous = object({
      retries    = number
      max_age_s  = number
      on_failure = string # an ARN; "queue": one is made; null: nowhere
      on_success = string
    })
    dead_letter_arn = string
    provisioned = object({ # null: none
      concurrency    = number
      max            = number # null: as many as concurrency, always
      target_percent = number
      schedules = list(object({
        name       = string
        expression = string
        timezone   = string
        min        = number
        max        = number
      }))
    })
    snap_start              = bool
    tracing                 = bool
    kms_key_arn             = string
    code_signing_config_arn = string
    log_level               = string # null: var.log_levels'
    system_log_level        = string
    tags                    = map(string)
    alarms = object({
      enabled          = bool
      errors           = number
      throttles        = number
      duration_percent = number
      dead_letters     = number
    })
    codedeploy = object({ # null: the roll-out itself shifts the callers
      strategy    = string
      percent     = number
      minutes     = number
      before_hook = string # key of this map; null: nobody is asked
      after_hook  = string
    })
    triggers = object({
      http = map(object({   # by route
        authorizer = string # key of var.http_api.authorizers, "iam", or null: anybody
        scopes     = list(string)
        throttle = object({
          rate_per_s = number
          burst      = number
        })
      }))
      url = object({ # null: none
        auth   = string
        reason = string # null unless anybody may call
        cors = object({
          allow_origins     = list(string)
          allow_methods     = list(string)
          allow_headers     = list(string)
          expose_headers    = list(string)
          allow_credentials = bool
          max_age_s         = number
        })
        streaming = bool
      })
      queue = map(object({
        arn               = string # null: one is made
        fifo              = bool
        batch_size        = number
        batch_window_s    = number
        max_receive_count = number
        max_concurrency   = number # null: as many as the account has
        filters           = list(string)
        enabled           = bool
      }))
      topic = map(object({
        arn          = string # null: one is made
        filter       = string # JSON; null: every message
        filter_scope = string
      }))
      event = map(object({
        pattern     = string # JSON
        bus         = string
        retries     = number
        max_age_s   = number
        dead_letter = bool
        enabled     = bool
      }))
      schedule = map(object({
        expression          = string
        timezone            = string
        input               = string # JSON
        flexible_window_min = number
        retries             = number
        max_age_s           = number
        dead_letter         = bool
        enabled             = bool
      }))
      bucket = map(object({
        arn    = string # null: one is made
        events = list(string)
        prefix = string
        suffix = string
      }))
      stream = map(object({
        source         = string
        arn            = string # null: stream or table are made
        partition_key  = string
        sort_key       = string
        start          = string
        batch_size     = number
        batch_window_s = number
        bisect         = bool
        retries        = number
        max_age_s      = number # null: none is too old
        parallel       = number
        on_failure     = string # null: a queue is made
        filters        = list(string)
        enabled        = bool
      }))
      load_balancer = map(object({
        listener_arn        = string # null: the rule is made elsewhere
        priority            = number
        paths               = list(string)
        hosts               = list(string)
        methods             = list(string)
        multi_value_headers = bool
        health_check_path   = string
      }))
    })
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
    condition = alltrue(flatten([for f in var.functions : [for layer in f.layers : can(regex("^(arn:|[{]custom[.])", layer)) || contains(keys(var.layers), layer)]]))
    error_message = "Every layer of a function must be an ARN or one of the hand-off's layers (${join(", ", keys(var.layers))}), got ${join("; ", [
      for name, f in var.functions : "${name}: ${join(", ", f.layers)}" if length(f.layers) > 0
    ])}."
  }

  validation {
    condition = alltrue(flatten([for f in var.functions : [for p in f.permissions :
      p.reason != null || !anytrue(concat([for action in p.actions : can(regex("[*?]", action))], [for arn in p.resources : can(regex("^([^:]*:){0,5}[*]$", arn))]))
    ]]))
    error_message = "A permission for a wildcard needs a reason, got none in ${jsonencode({
      for name, f in var.functions : name => [for p in f.permissions : p if p.reason == null] if length(f.permissions) > 0
    })}."
  }

  validation {
    condition = alltrue([for f in var.functions : f.file_system == null || f.network != null])
    error_message = "A function with a file system needs network, got none for ${join(", ", [
      for name, f in var.functions : name if f.file_system != null && f.network == null
    ])}."
  }

  validation {
    condition = alltrue(flatten([for f in var.functions : [for hook in compact(f.codedeploy == null ? [] : [f.codedeploy.before_hook, f.codedeploy.after_hook]) :
      contains(keys(var.functions), hook)
    ]]))
    error_message = "A hook must be one of the hand-off's functions (${join(", ", keys(var.functions))}), got ${join("; ", [
      for name, f in var.functions : "${name}: ${join(", ", compact([f.codedeploy.before_hook, f.codedeploy.after_hook]))}" if f.codedeploy != null
    ])}."
  }

  validation {
    condition     = length(flatten([for f in var.functions : keys(f.triggers.http)])) == length(distinct(flatten([for f in var.functions : keys(f.triggers.http)])))
    error_message = "A route belongs to one function, got ${join("; ", [for name, f in var.functions : "${name}: ${join(", ", keys(f.triggers.http))}" if length(f.triggers.http) > 0])}."
  }
}

variable "http_api" {
  description = "What holds for all routes of the HTTP API."
  type = object({
    cors = object({ # null: no other origin may
      allow_origins     = list(string)
      allow_methods     = list(string)
      allow_headers     = list(string)
      expose_headers    = list(string)
      allow_credentials = bool
      max_age_s         = number
    })
    throttle = object({ # null: the account's
      rate_per_s = number
      burst      = number
    })
    authorizers = map(object({
      issuer   = string # null when a function decides
      audience = list(string)
      function = string # key of var.functions; null when tokens decide
      identity = list(string)
      ttl_s    = number
    }))
    domain = object({ # null: the API's own address alone
      name            = string
      certificate_arn = string
      path            = string
    })
  })
  nullable = false
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

variable "stack" {
  description = "The part of the env this is the state of; null for the env's own."
  type        = string

  validation {
    condition     = var.stack == null ? true : can(regex("^[a-z][a-z0-9-]*$", var.stack)) && var.stack != "default"
    error_message = "stack must be lower-case letters, digits and hyphens, starting with a letter, and not 'default', got '${coalesce(var.stack, "null")}'."
  }
}
