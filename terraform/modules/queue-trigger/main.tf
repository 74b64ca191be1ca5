locals {
  ending = var.fifo ? ".fifo" : "" # SQS knows FIFO queues by it, and their dead-letter queues must be FIFO, too

  # Built from names, not read from resources: a plan then shows them, and each queue can name the other.
  arn_prefix = "arn:${var.place.partition}:sqs:${var.place.region}:${var.place.account_id}"
  arn        = var.existing == null ? "${local.arn_prefix}:${one(aws_sqs_queue.this[*].name)}" : var.existing.arn
}

resource "aws_sqs_queue" "this" {
  count = var.existing == null ? 1 : 0

  name                        = "${var.name}${local.ending}"
  fifo_queue                  = var.fifo
  content_based_deduplication = var.fifo
  sqs_managed_sse_enabled     = true
  tags                        = var.tags

  # Six times the timeout, plus the window: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibility_timeout_seconds = 6 * var.function_timeout + var.batch.window_s

  redrive_policy = jsonencode({
    deadLetterTargetArn = "${local.arn_prefix}:${aws_sqs_queue.dead_letter[0].name}"
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue" "dead_letter" {
  count = var.existing == null ? 1 : 0

  name                      = "${var.name}-dead-letter${local.ending}"
  fifo_queue                = var.fifo
  message_retention_seconds = 1209600 # 14 days, the longest SQS offers
  sqs_managed_sse_enabled   = true
  tags                      = var.tags

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.arn_prefix}:${var.name}${local.ending}"]
  })
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = local.arn
  function_name                      = var.function_arn
  enabled                            = var.enabled
  batch_size                         = var.batch.size
  maximum_batching_window_in_seconds = var.batch.window_s
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

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

  dynamic "scaling_config" {
    for_each = var.max_concurrency[*]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
}

moved {
  from = aws_sqs_queue.this
  to   = aws_sqs_queue.this[0]
}

moved {
  from = aws_sqs_queue.dead_letter
  to   = aws_sqs_queue.dead_letter[0]
}
