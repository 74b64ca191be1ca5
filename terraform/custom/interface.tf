# What upstream hands to your Terraform. This file is upstream's; all others in this folder are yours: docs/how-to/custom-terraform.md.

variable "account_id" {
  description = "The AWS account of the env."
  type        = string
  nullable    = false
}

variable "env" {
  description = "The env that is deployed."
  type        = string
  nullable    = false
}

variable "functions" {
  description = "Every function of the env, by its folder's name. Reading any of it waits for all of it."
  type = map(object({
    alias_arn     = string # of the alias live: what to invoke
    arn           = string
    function_name = string
    invoke_arn    = string # of the alias, for API Gateway
    log_group     = string
    queue_urls    = map(string) # by the queue trigger's name
    role_arn      = string
    role_name     = string
  }))
  nullable = false
}

variable "name" {
  description = "The repository's name: what is called <name>-<env>-… is ours."
  type        = string
  nullable    = false
}

variable "region" {
  description = "The AWS region of the env."
  type        = string
  nullable    = false
}

variable "stack" {
  description = "The part of the env whose state this is; null in the env's own, where you want most of your resources."
  type        = string
}
