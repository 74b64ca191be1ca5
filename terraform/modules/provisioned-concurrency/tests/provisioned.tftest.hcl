mock_provider "aws" {}

variables {
  function_name = "slipway-dev-orders"
  alias         = "live"
  concurrency   = 2
}

run "a_fixed_number_is_kept_and_nothing_scales_it" {
  assert {
    condition     = aws_lambda_provisioned_concurrency_config.this.qualifier == "live" && aws_lambda_provisioned_concurrency_config.this.provisioned_concurrent_executions == 2
    error_message = "Two environments of what is live must be kept ready."
  }
  assert {
    condition     = length(aws_appautoscaling_target.this) == 0 && output.scalable_target == null
    error_message = "A fixed number has no scaler."
  }
}

# State carries over from the run before.
run "another_fixed_number_is_applied" {
  variables {
    concurrency = 3
  }
  assert {
    condition     = aws_lambda_provisioned_concurrency_config.fixed[0].provisioned_concurrent_executions == 3
    error_message = "A new number must reach Lambda."
  }
  assert {
    condition     = aws_lambda_provisioned_concurrency_config.fixed[0].skip_destroy && !coalesce(aws_lambda_provisioned_concurrency_config.this.skip_destroy, false)
    error_message = "Only the end of all of it may end the configuration."
  }
}

run "with_max_the_number_follows_its_use" {
  variables {
    max            = 5
    target_percent = 60
  }
  assert {
    condition     = aws_appautoscaling_target.this[0].resource_id == "function:slipway-dev-orders:live" && aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 5
    error_message = "The scaler must work between concurrency and max."
  }
  assert {
    condition     = aws_appautoscaling_policy.use[0].target_tracking_scaling_policy_configuration[0].target_value == 0.6
    error_message = "60 % of the environments in use are aimed at."
  }
  assert {
    condition     = length(aws_lambda_provisioned_concurrency_config.fixed) == 0
    error_message = "Nothing may hold the number that the scaler moves."
  }
}

run "other_bounds_are_applied" {
  variables {
    max = 9
  }
  assert {
    condition     = aws_appautoscaling_target.this[0].max_capacity == 9
    error_message = "A new max must reach the scaler."
  }
}

run "hours_have_bounds_of_their_own_in_their_time_zone" {
  variables {
    max       = 9
    schedules = { day = { expression = "cron(0 8 ? * MON-FRI *)", timezone = "Europe/Berlin", min = 4, max = 12 } }
  }
  assert {
    condition     = aws_appautoscaling_scheduled_action.this["day"].timezone == "Europe/Berlin" && aws_appautoscaling_scheduled_action.this["day"].schedule == "cron(0 8 ? * MON-FRI *)"
    error_message = "A schedule is read in its time zone."
  }
  assert {
    condition     = aws_appautoscaling_scheduled_action.this["day"].scalable_target_action[0].min_capacity == "4" && aws_appautoscaling_scheduled_action.this["day"].scalable_target_action[0].max_capacity == "12"
    error_message = "A schedule sets its bounds."
  }
}

run "bounds_that_a_schedule_moved_are_left_alone" {
  variables {
    concurrency = 1
    max         = 10
    schedules   = { day = { expression = "cron(0 8 ? * MON-FRI *)", min = 4, max = 12 } }
  }
  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 9
    error_message = "Terraform fought the schedules over the bounds."
  }
}

run "numbers_and_names_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.alias, var.concurrency, var.target_percent]
  variables {
    alias          = "$LATEST"
    concurrency    = 0
    target_percent = 95
  }
}

run "a_max_below_concurrency_is_refused" {
  command         = plan
  expect_failures = [var.max]
  variables {
    max = 1
  }
}

run "schedules_without_max_are_refused" {
  command         = plan
  expect_failures = [var.schedules]
  variables {
    schedules = { day = { expression = "rate(1 day)", min = 1, max = 2 } }
  }
}

run "a_schedule_with_crossed_bounds_is_refused" {
  command         = plan
  expect_failures = [var.schedules]
  variables {
    max       = 5
    schedules = { day = { expression = "rate(1 day)", min = 3, max = 2 } }
  }
}
