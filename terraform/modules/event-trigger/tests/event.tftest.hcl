mock_provider "aws" {}

variables {
  name    = "slipway-dev-orders-paid"
  pattern = "{\"source\":[\"payments\"]}"
  function = {
    name  = "slipway-dev-orders"
    alias = "live"
    arn   = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  }
  place = { region = "us-east-1", account_id = "123456789012" }
}

run "events_of_the_default_bus_that_fit_go_to_the_alias" {
  command = plan
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == { source = ["payments"] } && aws_cloudwatch_event_rule.this.event_bus_name == "default" && aws_cloudwatch_event_rule.this.state == "ENABLED"
    error_message = "Only events that fit were asked for."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.arn == var.function.arn && aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 185 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 86400
    error_message = "The alias must be the target, and an event be tried for a day."
  }
}

run "only_this_rule_may_call_and_only_the_alias" {
  command = plan
  assert {
    condition     = aws_lambda_permission.this.principal == "events.amazonaws.com" && aws_lambda_permission.this.source_arn == "arn:aws:events:us-east-1:123456789012:rule/slipway-dev-orders-paid"
    error_message = "No other rule may call the function."
  }
  assert {
    condition     = aws_lambda_permission.this.function_name == "slipway-dev-orders" && aws_lambda_permission.this.qualifier == "live" && aws_lambda_permission.this.statement_id == "event-slipway-dev-orders-paid"
    error_message = "The permission must be the alias's, under a name that stays."
  }
}

run "only_this_rule_may_send_to_the_dead_letter_queue" {
  command = plan
  assert {
    condition = jsondecode(aws_sqs_queue.dead_letter[0].policy).Statement == [{
      Sid       = "OfThisRule"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-paid-dead-letter"
      Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:us-east-1:123456789012:rule/slipway-dev-orders-paid" } }
    }]
    error_message = "The queue must take messages of this rule alone, got ${aws_sqs_queue.dead_letter[0].policy}."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-paid-dead-letter"
    error_message = "Events that are given up must go to the queue."
  }
  assert {
    condition     = aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].message_retention_seconds == 14 * 24 * 3600
    error_message = "The queue must be encrypted and keep messages for 14 days."
  }
}

run "without_a_dead_letter_queue_events_may_be_lost" {
  command = plan
  variables {
    dead_letter = false
    enabled     = false
    retry       = { attempts = 0, max_age_s = 60 }
  }
  assert {
    condition     = length(aws_sqs_queue.dead_letter) == 0 && length(aws_cloudwatch_event_target.this.dead_letter_config) == 0 && output.dead_letter_url == null
    error_message = "No queue was asked for."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.state == "DISABLED" && aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 0
    error_message = "Nothing must be delivered, nor tried again."
  }
}

run "another_bus_may_be_named" {
  command = plan
  variables {
    bus = "shop"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.event_bus_name == "shop" && aws_lambda_permission.this.source_arn == "arn:aws:events:us-east-1:123456789012:rule/shop/slipway-dev-orders-paid"
    error_message = "The rule must be of the bus shop."
  }
}

run "another_bus_may_be_given_by_its_arn" {
  command = plan
  variables {
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/aws.partner/example.com/shop"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.event_bus_name == "aws.partner/example.com/shop" && aws_lambda_permission.this.source_arn == "arn:aws:events:us-east-1:123456789012:rule/aws.partner/example.com/shop/slipway-dev-orders-paid"
    error_message = "The rule must be of the partner's bus."
  }
}

run "a_bus_of_another_region_and_malformed_values_are_refused" {
  command         = plan
  expect_failures = [var.bus, var.name, var.pattern, var.retry]
  variables {
    bus     = "arn:aws:events:eu-west-1:123456789012:event-bus/shop"
    name    = join("", [for _ in range(65) : "x"])
    pattern = "payments"
    retry   = { attempts = 186, max_age_s = 30 }
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_cloudwatch_event_rule.this.tags, aws_sqs_queue.dead_letter[0].tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
