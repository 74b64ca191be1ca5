locals {
  has_failure_queue = try(var.asynchronous.failure_queue, false)
  on_failure        = local.has_failure_queue ? one(aws_sqs_queue.failures[*].arn) : one(var.asynchronous[*].on_failure)
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50: traces cost money, so that each function says whether it has them
  function_name                  = var.name
  description                    = var.description
  role                           = var.role_arn
  package_type                   = var.zip == null ? "Image" : "Zip"
  s3_bucket                      = one(var.zip[*].bucket)
  s3_key                         = one(var.zip[*].key)
  source_code_hash               = one(var.zip[*].digest_base64)
  code_signing_config_arn        = one(var.zip[*].code_signing_config_arn)
  runtime                        = one(var.zip[*].runtime)
  handler                        = one(var.zip[*].handler)
  layers                         = one(var.zip[*].layers)
  image_uri                      = one(var.image[*].uri)
  architectures                  = [var.architecture]
  memory_size                    = var.limits.memory_mb
  timeout                        = var.limits.timeout_s
  reserved_concurrent_executions = coalesce(var.limits.reserved_concurrency, -1)
  kms_key_arn                    = var.environment.kms_key_arn
  publish                        = true
  tags                           = var.tags

  ephemeral_storage {
    size = var.limits.ephemeral_storage_mb
  }

  dynamic "image_config" {
    for_each = [for image in var.image[*] : image if length(image.command) + length(image.entry_point) > 0 || image.working_directory != null]
    content {
      command           = image_config.value.command
      entry_point       = image_config.value.entry_point
      working_directory = image_config.value.working_directory
    }
  }

  dynamic "environment" {
    for_each = length(var.environment.variables) > 0 ? [var.environment.variables] : []
    content {
      variables = environment.value
    }
  }

  dynamic "vpc_config" {
    for_each = var.network[*]
    content {
      subnet_ids                  = vpc_config.value.subnet_ids
      security_group_ids          = vpc_config.value.security_group_ids
      ipv6_allowed_for_dual_stack = vpc_config.value.ipv6
    }
  }

  dynamic "file_system_config" {
    for_each = one(var.network[*].file_system)[*]
    content {
      arn              = file_system_config.value.arn
      local_mount_path = file_system_config.value.mount
    }
  }

  dynamic "dead_letter_config" {
    for_each = one(var.asynchronous[*].dead_letter_arn)[*]
    content {
      target_arn = dead_letter_config.value
    }
  }

  dynamic "snap_start" {
    for_each = try(var.zip.snap_start, false) ? ["PublishedVersions"] : []
    content {
      apply_on = snap_start.value
    }
  }

  tracing_config {
    mode = var.logging.tracing ? "Active" : "PassThrough" # without the block, tracing that was on would stay on
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.logging.application_level
    system_log_level      = var.logging.system_level
    log_group             = aws_cloudwatch_log_group.this.name # so the group exists before the first line is written
  }
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: CloudWatch Logs encrypts with a key of its own; lines must not be lost to a policy of another key
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.logging.retention_days
  tags              = var.tags
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What callers reach; the roll-out moves it"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  # Terraform publishes versions, the roll-out chooses which of them is live: a rollback must outlast the next plan.
  lifecycle {
    ignore_changes       = [function_version, routing_config]
    replace_triggered_by = [aws_lambda_function.this.package_type] # it goes with a function that is made anew
  }
}

resource "aws_lambda_function_event_invoke_config" "live" {
  count = var.asynchronous == null ? 0 : 1

  function_name                = aws_lambda_function.this.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = var.asynchronous.retries
  maximum_event_age_in_seconds = var.asynchronous.max_age_s

  lifecycle {
    replace_triggered_by = [aws_lambda_function.this.package_type]
  }

  dynamic "destination_config" {
    for_each = local.on_failure != null || var.asynchronous.on_success != null ? [var.asynchronous] : []
    content {
      dynamic "on_failure" {
        for_each = local.on_failure[*]
        content {
          destination = on_failure.value
        }
      }

      dynamic "on_success" {
        for_each = destination_config.value.on_success[*]
        content {
          destination = on_success.value
        }
      }
    }
  }
}

resource "aws_sqs_queue" "failures" {
  count = local.has_failure_queue ? 1 : 0

  name                      = "${var.name}-failures"
  message_retention_seconds = 1209600 # 14 days, the longest SQS offers
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}
