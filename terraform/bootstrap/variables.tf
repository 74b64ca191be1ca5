variable "account_id" {
  description = "The only AWS account this may be set up in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, got '${var.account_id}'."
  }
}

variable "artifact_bucket" {
  description = "S3 bucket for the artifacts and the ledger. It exists: it is imported."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.artifact_bucket)) && var.artifact_bucket != var.state.bucket
    error_message = "artifact_bucket must be an S3 bucket name (3 to 63 lower-case letters, digits, dots, hyphens), and not the state's, got '${var.artifact_bucket}'."
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

variable "github" {
  description = "The repository whose workflows may plan and deploy; null for none. An account has one OIDC provider for all of GitHub: create_provider says whether it is made here."
  type = object({
    repository      = string
    create_provider = bool
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.github.repository))
    error_message = "github.repository must be ORG/REPO, got '${var.github == null ? "null" : var.github.repository}'."
  }
}

variable "name" {
  description = "The repository's name in slipway.toml; with env, the prefix of every AWS name."
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

variable "state" {
  description = "Where the env's Terraform state is: the bucket, which exists and is imported, and the key of the state."
  type = object({
    bucket = string
    key    = string
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state.bucket)) && can(regex("^[^*?]+\\.tfstate$", var.state.key)) && !startswith(var.state.key, "bootstrap")
    error_message = "state must have an S3 bucket name and a key that ends in .tfstate and does not start with bootstrap, got '${var.state.bucket}' and '${var.state.key}'."
  }
}
