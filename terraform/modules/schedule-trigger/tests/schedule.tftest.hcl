mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/slipway-dev-orders-nightly.schedule" }
  }
}

variables {
  name         = "slipway-dev-orders-nightly"
  function_arn = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  expression   = "cron(0 3 * * ? *)"
  timezone     = "Europe/Berlin"
  place        = { region = "us-east-1", account_id = "123456789012" }
}

run "the_alias_is_called_on_time_in_the_time_zone" {
  command = plan
  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "cron(0 3 * * ? *)" && aws_scheduler_schedule.this.schedule_expression_timezone == "Europe/Berlin" && aws_scheduler_schedule.this.state == "ENABLED"
    error_message = "The schedule must run at 3 in Berlin."
  }
  assert {
    condition     = aws_scheduler_schedule.this.flexible_time_window[0].mode == "OFF" && aws_scheduler_schedule.this.target[0].arn == var.function_arn && aws_scheduler_schedule.this.target[0].input == "{}"
    error_message = "The alias must be called on time, with an empty event."
  }
}

run "the_role_may_call_the_alias_and_send_to_its_queue_and_nothing_else" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = ["arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"] },
      { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = ["arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-nightly-dead-letter"] },
    ]
    error_message = "The role may do more or less than its work, got ${aws_iam_role_policy.this.policy}."
  }
}

run "only_the_schedules_own_group_may_take_the_role" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = { StringEquals = {
        "aws:SourceAccount" = "123456789012"
        "aws:SourceArn"     = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/slipway-dev-orders-nightly"
      } }
    }]
    error_message = "Schedules of other groups must not be able to run as the role."
  }
  assert {
    condition     = aws_iam_role.this.name == "slipway-dev-orders-nightly.schedule" && aws_scheduler_schedule.this.group_name == "slipway-dev-orders-nightly"
    error_message = "The role must be named apart from functions' roles, and the group be the schedule's own."
  }
}

run "what_is_given_up_goes_to_the_dead_letter_queue" {
  command = plan
  assert {
    condition     = aws_scheduler_schedule.this.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-nightly-dead-letter" && aws_sqs_queue.dead_letter[0].name == "slipway-dev-orders-nightly-dead-letter"
    error_message = "Invokes that are given up must go to the queue."
  }
  assert {
    condition     = aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].message_retention_seconds == 14 * 24 * 3600
    error_message = "The queue must be encrypted and keep messages for 14 days."
  }
}

run "window_retries_and_boundary_are_as_asked_and_no_queue_is_made_unless_asked" {
  variables {
    dead_letter          = false
    enabled              = false
    flexible_window_min  = 15
    permissions_boundary = "arn:aws:iam::123456789012:policy/functions"
    retry                = { attempts = 2, max_age_s = 600 }
  }
  assert {
    condition     = aws_scheduler_schedule.this.flexible_time_window[0].mode == "FLEXIBLE" && aws_scheduler_schedule.this.flexible_time_window[0].maximum_window_in_minutes == 15 && aws_scheduler_schedule.this.state == "DISABLED"
    error_message = "A window of 15 minutes was asked for, and that it does not run."
  }
  assert {
    condition     = aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 2 && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_event_age_in_seconds == 600
    error_message = "Two retries within ten minutes were asked for."
  }
  assert {
    condition     = length(aws_sqs_queue.dead_letter) == 0 && length(aws_scheduler_schedule.this.target[0].dead_letter_config) == 0 && length(jsondecode(aws_iam_role_policy.this.policy).Statement) == 1
    error_message = "Without a queue the role must not be able to send to one."
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/functions"
    error_message = "The boundary must bound the schedule's role, too."
  }
}

run "malformed_values_are_refused" {
  command         = plan
  expect_failures = [var.expression, var.flexible_window_min, var.input, var.name, var.permissions_boundary, var.retry]
  variables {
    expression           = "every day"
    flexible_window_min  = 1441
    input                = "{"
    name                 = join("", [for _ in range(56) : "x"])
    permissions_boundary = "functions"
    retry                = { attempts = -1, max_age_s = 30 }
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_scheduler_schedule_group.this.tags, aws_iam_role.this.tags, aws_sqs_queue.dead_letter[0].tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
