data "aws_partition" "this" {}

locals {
  prefix = "${var.name}-${var.env}"

  # Built from names, not read from resources: a plan then shows a new role's whole policy.
  arn_prefix = { for service in ["codedeploy", "dynamodb", "ec2", "kinesis", "lambda", "logs", "sqs"] :
    service => "arn:${data.aws_partition.this.partition}:${service}:${var.region}:${var.account_id}"
  }

  # What each function sends to: what it gives up, and the answers nobody waits for.
  destinations = { for name, f in var.functions : name => [
    for arn in distinct(compact(concat(
      [f.asynchronous.on_failure == "queue" ? "${local.arn_prefix.sqs}:${local.prefix}-${name}-failures" : f.asynchronous.on_failure],
      [f.asynchronous.on_success, f.dead_letter_arn],
      [for stream, settings in f.triggers.stream : coalesce(settings.on_failure, "${local.arn_prefix.sqs}:${local.prefix}-${name}-${stream}-dead-letter")],
    ))) : lookup(local.filled, arn, arn)
  ] }
  secrets         = { for name, f in var.functions : name => distinct([for secret in values(f.secrets) : lookup(local.filled, secret.arn, secret.arn)]) }
  by_lambda_alone = { for name, f in var.functions : name => { ArnNotEquals = { "lambda:SourceFunctionArn" = "${local.arn_prefix.lambda}:function:${local.prefix}-${name}" } } }

  # build/checks/statements.py knows them, too.
  statements = { for name, f in var.functions : name => [for statement in concat(
    [
      {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"] # not CreateLogGroup: it would come back without retention
        resources = ["${local.arn_prefix.logs}:log-group:/aws/lambda/${local.prefix}-${name}:*"]
      },
      {
        actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources = [for queue, q in f.triggers.queue : q.arn == null ? "${local.arn_prefix.sqs}:${local.prefix}-${name}-${queue}${q.fifo ? ".fifo" : ""}" : lookup(local.filled, q.arn, q.arn)]
      },
      {
        actions   = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
        resources = [for stream, s in f.triggers.stream : s.arn == null ? "${local.arn_prefix.kinesis}:stream/${local.prefix}-${name}-${stream}" : lookup(local.filled, s.arn, s.arn) if s.source == "kinesis"]
      },
      {
        actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
        resources = [for stream, s in f.triggers.stream : s.arn == null ? "${local.arn_prefix.dynamodb}:table/${local.prefix}-${name}-${stream}/stream/*" : lookup(local.filled, s.arn, s.arn) if s.source == "dynamodb"]
      },
      { actions = ["sqs:SendMessage"], resources = [for arn in local.destinations[name] : arn if can(regex("^arn:[^:]+:sqs:", arn))] },
      { actions = ["sns:Publish"], resources = [for arn in local.destinations[name] : arn if can(regex("^arn:[^:]+:sns:", arn))] },
      { actions = ["lambda:InvokeFunction"], resources = [for arn in local.destinations[name] : arn if can(regex("^arn:[^:]+:lambda:", arn))] },
      { actions = ["events:PutEvents"], resources = [for arn in local.destinations[name] : arn if can(regex("^arn:[^:]+:events:", arn))] },
      { actions = ["s3:ListBucket", "s3:PutObject"], resources = flatten([for arn in local.destinations[name] : [arn, "${arn}/*"] if can(regex("^arn:[^:]+:s3:", arn))]) },
      { actions = ["ssm:GetParameter"], resources = [for arn in local.secrets[name] : arn if can(regex("^arn:[^:]+:ssm:", arn))] },
      { actions = ["secretsmanager:GetSecretValue"], resources = [for arn in local.secrets[name] : arn if !can(regex("^arn:[^:]+:ssm:", arn))] },
      { actions = ["kms:Decrypt"], resources = [for arn in distinct(compact(concat(values(f.secrets)[*].kms_key_arn, [f.kms_key_arn]))) : lookup(local.filled, arn, arn)] },
      # Not for the code: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
      {
        actions   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        resources = f.network == null ? [] : ["${local.arn_prefix.ec2}:*/*"]
        condition = local.by_lambda_alone[name]
      },
      {
        actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        resources = f.network == null ? [] : ["*"] # AWS takes no narrower one
        condition = local.by_lambda_alone[name]
      },
      {
        actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
        resources = [for file_system in f.file_system[*] : replace(lookup(local.filled, file_system.arn, file_system.arn), "/access-point/.*/", "file-system/*")]
        condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = try(lookup(local.filled, f.file_system.arn, f.file_system.arn), "") } }
      },
      { actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources = f.tracing ? ["*"] : [] }, # AWS takes no narrower one
      {
        actions   = ["codedeploy:PutLifecycleEventHookExecutionStatus"]
        resources = [for asking, hooks in local.hooks : "${local.arn_prefix.codedeploy}:deploymentgroup:${local.application}/${local.prefix}-${asking}" if contains(values(hooks), name)]
      },
    ],
    [for p in f.permissions : { actions = p.actions, resources = [for arn in p.resources : lookup(local.filled, arn, arn)] }],
  ) : statement if length(statement.resources) > 0] }

  # Of functions that differ from what Lambda does by itself.
  asynchronous = { for name, f in var.functions : name => {
    retries         = f.asynchronous.retries
    max_age_s       = f.asynchronous.max_age_s
    failure_queue   = f.asynchronous.on_failure == "queue"
    on_failure      = f.asynchronous.on_failure == "queue" ? null : try(local.filled[f.asynchronous.on_failure], f.asynchronous.on_failure)
    on_success      = try(local.filled[f.asynchronous.on_success], f.asynchronous.on_success)
    dead_letter_arn = try(local.filled[f.dead_letter_arn], f.dead_letter_arn)
  } if jsonencode([f.asynchronous, f.dead_letter_arn]) != jsonencode([{ retries = 2, max_age_s = 21600, on_failure = null, on_success = null }, null]) }

  artifacts = merge(
    { for name, layer in var.layers : "layers/${name}" => layer.artifact },
    { for name, f in var.functions : "functions/${name}" => f.artifact if f.package_type == "Zip" },
  )
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
  managed_policies     = { for policy in each.value.managed_policies : policy => lookup(local.filled, policy, policy) }
  permissions_boundary = var.permissions_boundary
  statements           = local.statements[each.key]
  tags                 = each.value.tags
}

# An image is pushed before the plan that names it: `deploy` makes a repository that is not there, and it is adopted here.
import {
  for_each = { for name, f in var.functions : name => "${local.prefix}/${name}" if f.package_type == "Image" }
  to       = module.ecr_repository[each.key].aws_ecr_repository.this
  id       = each.value
}

module "ecr_repository" {
  source   = "./modules/ecr-repository"
  for_each = { for name, f in var.functions : name => f if f.package_type == "Image" }

  name         = "${local.prefix}/${each.key}"
  function_arn = "${local.arn_prefix.lambda}:function:${local.prefix}-${each.key}"
  tags         = each.value.tags
}

module "lambda_function" {
  source   = "./modules/lambda-function"
  for_each = var.functions

  name         = "${local.prefix}-${each.key}"
  description  = each.value.description
  role_arn     = module.execution_role[each.key].arn
  architecture = each.value.architecture
  tags         = each.value.tags
  environment = {
    variables   = { for variable, value in each.value.environment : variable => lookup(local.filled, value, value) }
    kms_key_arn = try(local.filled[each.value.kms_key_arn], each.value.kms_key_arn)
  }
  limits = {
    memory_mb            = each.value.memory_mb
    timeout_s            = each.value.timeout_s
    ephemeral_storage_mb = each.value.ephemeral_storage_mb
    reserved_concurrency = each.value.reserved_concurrency
  }
  logging = {
    retention_days    = each.value.log_retention_days
    application_level = coalesce(each.value.log_level, var.log_levels.application)
    system_level      = coalesce(each.value.system_log_level, var.log_levels.system)
    tracing           = each.value.tracing
  }
  network = each.value.network == null ? null : {
    subnet_ids         = [for id in each.value.network.subnet_ids : lookup(local.filled, id, id)]
    security_group_ids = [for id in each.value.network.security_group_ids : lookup(local.filled, id, id)]
    ipv6               = each.value.network.ipv6
    file_system = each.value.file_system == null ? null : {
      arn   = lookup(local.filled, each.value.file_system.arn, each.value.file_system.arn)
      mount = each.value.file_system.mount
    }
  }
  asynchronous = lookup(local.asynchronous, each.key, null)
  image        = each.value.package_type != "Image" ? null : merge({ uri = "${module.ecr_repository[each.key].url}@${split("@", each.value.image_uri)[1]}" }, each.value.image_config)
  zip = each.value.package_type != "Zip" ? null : {
    bucket                  = data.aws_s3_object.artifact["functions/${each.key}"].bucket
    key                     = data.aws_s3_object.artifact["functions/${each.key}"].key
    digest_base64           = each.value.artifact.digest_base64
    runtime                 = each.value.runtime
    handler                 = each.value.handler
    layers                  = [for layer in each.value.layers : contains(keys(var.layers), layer) ? module.lambda_layer[layer].arn : lookup(local.filled, layer, layer)]
    code_signing_config_arn = try(local.filled[each.value.code_signing_config_arn], each.value.code_signing_config_arn)
    snap_start              = each.value.snap_start
  }
}

module "provisioned_concurrency" {
  source   = "./modules/provisioned-concurrency"
  for_each = { for name, f in var.functions : name => f.provisioned if f.provisioned != null }

  function_name  = module.lambda_function[each.key].function_name
  alias          = module.lambda_function[each.key].alias.name
  concurrency    = each.value.concurrency
  max            = each.value.max
  target_percent = each.value.target_percent
  schedules      = { for schedule in each.value.schedules : schedule.name => schedule }
}
