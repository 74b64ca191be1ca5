locals {
  # Built from names, not read from resources: a plan then shows the role's whole policy.
  here  = "${var.place.region}:${var.place.account_id}"
  group = "arn:${var.place.partition}:scheduler:${local.here}:schedule-group/${var.name}"
  queue = { name = "${var.name}-dead-letter", arn = "arn:${var.place.partition}:sqs:${local.here}:${var.name}-dead-letter" }
}

# A group of its own: a role's trust can be narrowed to a group, not to a schedule, and only groups have tags.
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  # checkov:skip=CKV_AWS_297: the input is in function.toml for all to read, and AWS's own key encrypts it
  name                         = var.name
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = var.expression
  schedule_expression_timezone = var.timezone
  state                        = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode                      = var.flexible_window_min == null ? "OFF" : "FLEXIBLE"
    maximum_window_in_minutes = var.flexible_window_min
  }

  target {
    arn      = var.function_arn
    role_arn = aws_iam_role.this.arn
    input    = var.input

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
  }

  depends_on = [aws_iam_role_policy.this]
}

# The dot, which no function can have in its name, keeps it apart from the roles of functions.
resource "aws_iam_role" "this" {
  name                 = "${var.name}.schedule"
  description          = "What the schedule ${var.name} may do"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.place.account_id, "aws:SourceArn" = local.group } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "schedule"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{ Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [var.function_arn] }],
      var.dead_letter ? [{ Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.queue.arn] }] : [],
    )
  })
}

resource "aws_sqs_queue" "dead_letter" {
  count = var.dead_letter ? 1 : 0

  name                      = local.queue.name
  message_retention_seconds = 1209600 # 14 days, the longest SQS offers
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}
