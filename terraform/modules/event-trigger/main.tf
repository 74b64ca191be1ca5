locals {
  bus = startswith(var.bus, "arn:") ? regex("event-bus/(.+)$", var.bus)[0] : var.bus

  # Built from names, not read from resources: a plan then shows who may call the function and who may send to the queue.
  here     = "${var.place.region}:${var.place.account_id}"
  rule_arn = "arn:${var.place.partition}:events:${local.here}:rule/${local.bus == "default" ? "" : "${local.bus}/"}${var.name}"
  queue    = { name = "${var.name}-dead-letter", arn = "arn:${var.place.partition}:sqs:${local.here}:${var.name}-dead-letter" }
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = var.name
  event_bus_name = local.bus
  event_pattern  = var.pattern
  state          = var.enabled ? "ENABLED" : "DISABLED"
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = aws_cloudwatch_event_rule.this.event_bus_name
  target_id      = "function"
  arn            = var.function.arn

  retry_policy {
    maximum_event_age_in_seconds = var.retry.max_age_s
    maximum_retry_attempts       = var.retry.attempts
  }

  dynamic "dead_letter_config" {
    for_each = aws_sqs_queue.dead_letter
    content {
      arn = local.queue.arn
    }
  }

  depends_on = [aws_lambda_permission.this]
}

resource "aws_lambda_permission" "this" {
  statement_id  = "event-${var.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  qualifier     = var.function.alias
  principal     = "events.amazonaws.com"
  source_arn    = local.rule_arn
}

resource "aws_sqs_queue" "dead_letter" {
  count = var.dead_letter ? 1 : 0

  name                      = local.queue.name
  message_retention_seconds = 1209600 # 14 days, the longest SQS offers
  sqs_managed_sse_enabled   = true
  tags                      = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OfThisRule"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = local.queue.arn
      Condition = { ArnEquals = { "aws:SourceArn" = local.rule_arn } }
    }]
  })
}
