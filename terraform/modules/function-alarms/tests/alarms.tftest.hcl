mock_provider "aws" {}

variables {
  function_name      = "slipway-dev-orders"
  timeout_s          = 30
  dead_letter_queues = ["slipway-dev-orders-incoming-dead-letter", "slipway-dev-orders-failures"]
  actions            = ["arn:aws:sns:us-east-1:123456789012:alerts"]
}

run "failures_refusals_slowness_and_what_was_given_up_each_have_an_alarm" {
  command = plan
  assert {
    condition = output.names == tolist([
      "slipway-dev-orders-duration", "slipway-dev-orders-errors", "slipway-dev-orders-failures",
      "slipway-dev-orders-incoming-dead-letter", "slipway-dev-orders-throttles",
    ])
    error_message = "Got ${join(", ", output.names)}."
  }
}

run "what_is_live_is_watched_not_what_is_tried_out" {
  command = plan
  assert {
    condition = alltrue([for kind in ["errors", "throttles", "duration"] :
      aws_cloudwatch_metric_alarm.this[kind].dimensions == tomap({ FunctionName = "slipway-dev-orders", Resource = "slipway-dev-orders:live" })
    ])
    error_message = "An alias has its own metrics, under both dimensions together."
  }
}

run "the_longest_invoke_is_compared_with_the_timeout_in_milliseconds" {
  command = plan
  variables {
    thresholds = { duration_percent = 50 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["duration"].threshold == 15000 && aws_cloudwatch_metric_alarm.this["duration"].statistic == "Maximum"
    error_message = "Half of 30 s is 15,000 ms, got ${aws_cloudwatch_metric_alarm.this["duration"].threshold}."
  }
}

run "each_dead_letter_queue_is_watched_by_its_name" {
  command = plan
  variables {
    thresholds = { dead_letters = 10 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["incoming-dead-letter"].dimensions == tomap({ QueueName = "slipway-dev-orders-incoming-dead-letter" })
    error_message = "Depth is a metric of the queue."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["failures"].threshold == 10 && aws_cloudwatch_metric_alarm.this["failures"].namespace == "AWS/SQS"
    error_message = "Ten messages were asked for."
  }
}

run "going_off_and_being_over_are_told" {
  command = plan
  assert {
    condition = alltrue([for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.alarm_actions == toset(var.actions) && alarm.ok_actions == toset(var.actions) && alarm.comparison_operator == "GreaterThanOrEqualToThreshold"
    ])
    error_message = "Every alarm tells both, as soon as a threshold is reached."
  }
}

run "a_function_that_nobody_calls_is_well" {
  command = plan
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "notBreaching"])
    error_message = "Without invokes there are no metrics."
  }
}

run "a_function_that_gives_nothing_up_has_three" {
  command = plan
  variables {
    dead_letter_queues = []
  }
  assert {
    condition     = length(output.names) == 3
    error_message = "Got ${join(", ", output.names)}."
  }
}

run "thresholds_that_can_never_or_always_be_reached_are_refused" {
  command         = plan
  expect_failures = [var.thresholds]
  variables {
    thresholds = { errors = 0, duration_percent = 101 }
  }
}

run "other_values_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.actions, var.dead_letter_queues, var.timeout_s]
  variables {
    actions            = [for n in range(6) : "arn:aws:sns:us-east-1:123456789012:alerts-${n}"]
    dead_letter_queues = ["slipway-dev-greeting-failures"]
    timeout_s          = 0
  }
}

run "a_name_that_no_function_can_have_is_refused" {
  command         = plan
  expect_failures = [var.function_name]
  variables {
    function_name      = "orders:live"
    dead_letter_queues = []
  }
}
