locals {
  makes_queue = var.failures.on_failure == null
  sqs         = "arn:${var.place.partition}:sqs:${var.place.region}:${var.place.account_id}"

  # A stream's ARN is built from its name, so that a plan shows it; that of a table's stream has a time in it.
  kinesis = "arn:${var.place.partition}:kinesis:${var.place.region}:${var.place.account_id}:stream/${join("", aws_kinesis_stream.this[*].name)}"
  arn     = var.existing != null ? var.existing.arn : var.kind == "kinesis" ? local.kinesis : one(aws_dynamodb_table.this[*].stream_arn)
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = local.arn
  function_name                      = var.function_arn
  enabled                            = var.enabled
  starting_position                  = { latest = "LATEST", trim-horizon = "TRIM_HORIZON" }[var.start]
  batch_size                         = var.batch.size
  maximum_batching_window_in_seconds = var.batch.window_s
  parallelization_factor             = var.batch.parallel
  bisect_batch_on_function_error     = var.failures.bisect
  maximum_retry_attempts             = var.failures.retries
  maximum_record_age_in_seconds      = coalesce(var.failures.max_age_s, -1)
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  destination_config {
    on_failure {
      destination_arn = local.makes_queue ? "${local.sqs}:${one(aws_sqs_queue.dead_letter[*].name)}" : var.failures.on_failure.arn
    }
  }

  dynamic "filter_criteria" {
    for_each = length(var.filters) > 0 ? [var.filters] : []
    content {
      dynamic "filter" {
        for_each = filter_criteria.value
        content {
          pattern = filter.value
        }
      }
    }
  }
}

resource "aws_kinesis_stream" "this" {
  count = var.existing == null && var.kind == "kinesis" ? 1 : 0

  name            = var.name
  encryption_type = "KMS"
  kms_key_id      = "alias/aws/kinesis"
  tags            = var.tags

  stream_mode_details {
    stream_mode = "ON_DEMAND"
  }
}

# DynamoDB encrypts every table, with a key of its own that costs nothing.
resource "aws_dynamodb_table" "this" {
  count = var.existing == null && var.kind == "dynamodb" ? 1 : 0

  name             = var.name
  billing_mode     = "PAY_PER_REQUEST"
  hash_key         = one(var.keys[*].partition)
  range_key        = one(var.keys[*].sort)
  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"
  tags             = var.tags

  dynamic "attribute" {
    for_each = toset(compact([one(var.keys[*].partition), one(var.keys[*].sort)]))
    content {
      name = attribute.value
      type = "S"
    }
  }

  # It also leaves a backup for 35 days of a table that is deleted.
  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_sqs_queue" "dead_letter" {
  count = local.makes_queue ? 1 : 0

  name                      = "${var.name}-dead-letter"
  message_retention_seconds = 1209600 # 14 days, the longest SQS offers
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}
