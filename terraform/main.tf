data "aws_partition" "this" {}

locals {
  prefix = "${var.name}-${var.env}"

  # Built from names, not read from resources: a plan then shows a new role's whole policy.
  arn_prefix = {
    logs = "arn:${data.aws_partition.this.partition}:logs:${var.region}:${var.account_id}:log-group"
    sqs  = "arn:${data.aws_partition.this.partition}:sqs:${var.region}:${var.account_id}"
  }

  artifacts = merge(
    { for name, layer in var.layers : "layers/${name}" => layer.artifact },
    { for name, f in var.functions : "functions/${name}" => f.artifact if f.package_type == "Zip" },
  )

  queues = merge([
    for name, f in var.functions : {
      for queue, settings in f.queues : "${name}/${queue}" => merge(settings, {
        function = name
        trigger  = queue
        name     = "${local.prefix}-${name}-${queue}"
      })
    }
  ]...)

  with_routes = { for name, f in var.functions : name => f if length(f.http_routes) > 0 }
}

data "aws_s3_object" "artifact" {
  for_each = local.artifacts

  bucket        = var.artifact_bucket
  key           = each.value.key
  checksum_mode = "ENABLED"

  lifecycle {
    postcondition {
      condition     = self.checksum_sha256 == each.value.digest_base64
      error_message = "s3://${var.artifact_bucket}/${each.value.key} does not hold the bytes that were built: expected sha256 ${each.value.digest_base64}, got ${coalesce(self.checksum_sha256, "no sha256 at all")}."
    }
  }
}

module "lambda_layer" {
  source   = "./modules/lambda-layer"
  for_each = var.layers

  name          = "${local.prefix}-${each.key}"
  description   = each.value.description
  runtimes      = each.value.runtimes
  architectures = each.value.architectures
  zip = {
    bucket        = data.aws_s3_object.artifact["layers/${each.key}"].bucket
    key           = data.aws_s3_object.artifact["layers/${each.key}"].key
    digest_base64 = each.value.artifact.digest_base64
  }
}

module "execution_role" {
  source   = "./modules/execution-role"
  for_each = var.functions

  name                 = "${local.prefix}-${each.key}"
  account_id           = var.account_id
  log_group_arn        = "${local.arn_prefix.logs}:/aws/lambda/${local.prefix}-${each.key}"
  queue_arns           = [for queue in local.queues : "${local.arn_prefix.sqs}:${queue.name}" if queue.function == each.key]
  permissions          = each.value.permissions
  permissions_boundary = var.permissions_boundary
}

module "lambda_function" {
  source   = "./modules/lambda-function"
  for_each = var.functions

  name         = "${local.prefix}-${each.key}"
  description  = each.value.description
  role_arn     = module.execution_role[each.key].arn
  architecture = each.value.architecture
  environment  = each.value.environment
  image_uri    = each.value.image_uri
  limits = {
    memory_mb            = each.value.memory_mb
    timeout_s            = each.value.timeout_s
    ephemeral_storage_mb = each.value.ephemeral_storage_mb
    reserved_concurrency = each.value.reserved_concurrency
  }
  logging = {
    retention_days    = each.value.log_retention_days
    application_level = var.log_levels.application
    system_level      = var.log_levels.system
  }
  zip = each.value.package_type != "Zip" ? null : {
    bucket        = data.aws_s3_object.artifact["functions/${each.key}"].bucket
    key           = data.aws_s3_object.artifact["functions/${each.key}"].key
    digest_base64 = each.value.artifact.digest_base64
    runtime       = each.value.runtime
    handler       = each.value.handler
    layers        = [for layer in each.value.layers : startswith(layer, "arn:") ? layer : module.lambda_layer[layer].arn]
  }
}

module "queue_trigger" {
  source   = "./modules/queue-trigger"
  for_each = local.queues

  name              = each.value.name
  function_arn      = module.lambda_function[each.value.function].alias.arn
  function_timeout  = var.functions[each.value.function].timeout_s
  batch_size        = each.value.batch_size
  batch_window_s    = each.value.batch_window_s
  max_receive_count = each.value.max_receive_count
  max_concurrency   = each.value.max_concurrency
}

module "http_api" {
  source = "./modules/http-api"
  count  = length(local.with_routes) > 0 ? 1 : 0

  name = local.prefix
  functions = { for name, f in local.with_routes : name => {
    routes        = f.http_routes
    function_name = module.lambda_function[name].function_name
    alias         = module.lambda_function[name].alias.name
    invoke_arn    = module.lambda_function[name].alias.invoke_arn
  } }
  log_retention_days = max(values(local.with_routes)[*].log_retention_days...)
}
