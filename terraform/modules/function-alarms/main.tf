locals {
  live = { FunctionName = var.function_name, Resource = "${var.function_name}:live" }

  alarms = merge(
    {
      errors = {
        name        = "${var.function_name}-errors"
        description = "The live version failed ${var.thresholds.errors} times or more in five minutes"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        statistic   = "Sum"
        threshold   = var.thresholds.errors
        dimensions  = local.live
      }
      throttles = {
        name        = "${var.function_name}-throttles"
        description = "${var.thresholds.throttles} invokes or more were refused in five minutes, for want of concurrency"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        statistic   = "Sum"
        threshold   = var.thresholds.throttles
        dimensions  = local.live
      }
      duration = {
        name        = "${var.function_name}-duration"
        description = "An invoke took ${var.thresholds.duration_percent} % of the timeout of ${var.timeout_s} s, or more"
        namespace   = "AWS/Lambda"
        metric      = "Duration"
        statistic   = "Maximum"
        threshold   = var.timeout_s * 10 * var.thresholds.duration_percent # milliseconds
        dimensions  = local.live
      }
    },
    { for queue in var.dead_letter_queues : trimprefix(queue, "${var.function_name}-") => {
      name        = queue
      description = "${var.thresholds.dead_letters} messages or more were given up, and wait to be looked at"
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      statistic   = "Maximum"
      threshold   = var.thresholds.dead_letters
      dimensions  = { QueueName = queue }
    } },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = each.value.name
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching" # what nobody calls is well
  alarm_actions       = var.actions
  ok_actions          = var.actions
}
