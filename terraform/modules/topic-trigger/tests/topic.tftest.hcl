mock_provider "aws" {}

variables {
  name = "slipway-dev-orders-prices"
  function = {
    name  = "slipway-dev-orders"
    alias = "live"
    arn   = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  }
  place = { region = "us-east-1", account_id = "123456789012" }
}

run "a_topic_that_is_made_is_encrypted_and_the_alias_subscribed" {
  command = plan
  assert {
    condition     = aws_sns_topic.this[0].name == "slipway-dev-orders-prices" && aws_sns_topic.this[0].kms_master_key_id == "alias/aws/sns"
    error_message = "Messages must be encrypted at rest."
  }
  assert {
    condition     = aws_sns_topic_subscription.this.endpoint == var.function.arn && aws_sns_topic_subscription.this.topic_arn == "arn:aws:sns:us-east-1:123456789012:slipway-dev-orders-prices"
    error_message = "The alias must be subscribed to the topic that is made."
  }
  assert {
    condition     = aws_sns_topic_subscription.this.filter_policy == null
    error_message = "Every message must be delivered unless asked otherwise."
  }
}

run "only_this_topic_may_call_and_only_the_alias" {
  command = plan
  assert {
    condition     = aws_lambda_permission.this.principal == "sns.amazonaws.com" && aws_lambda_permission.this.source_arn == "arn:aws:sns:us-east-1:123456789012:slipway-dev-orders-prices"
    error_message = "No other topic may call the function."
  }
  assert {
    condition     = aws_lambda_permission.this.function_name == "slipway-dev-orders" && aws_lambda_permission.this.qualifier == "live" && aws_lambda_permission.this.statement_id == "topic-slipway-dev-orders-prices"
    error_message = "The permission must be the alias's, under a name that stays."
  }
}

run "a_topic_that_is_there_is_taken_as_it_is" {
  command = plan
  variables {
    existing = { arn = "arn:aws:sns:us-east-1:123456789012:prices" }
  }
  assert {
    condition     = length(aws_sns_topic.this) == 0 && aws_sns_topic_subscription.this.topic_arn == var.existing.arn && aws_lambda_permission.this.source_arn == var.existing.arn
    error_message = "Nothing may be made beside a topic that is there."
  }
}

run "only_what_fits_the_pattern_is_delivered" {
  command = plan
  variables {
    filter       = "{\"kind\":[\"price\"]}"
    filter_scope = "body"
  }
  assert {
    condition     = jsondecode(aws_sns_topic_subscription.this.filter_policy) == { kind = ["price"] } && aws_sns_topic_subscription.this.filter_policy_scope == "MessageBody"
    error_message = "The pattern must be about the body."
  }
}

run "a_pattern_is_about_attributes_unless_asked_otherwise" {
  command = plan
  variables {
    filter = "{\"kind\":[\"price\"]}"
  }
  assert {
    condition     = aws_sns_topic_subscription.this.filter_policy_scope == "MessageAttributes"
    error_message = "Patterns are about attributes, as in SNS itself."
  }
}

run "fifo_topics_and_malformed_values_are_refused" {
  command         = plan
  expect_failures = [var.existing, var.filter, var.filter_scope, var.name]
  variables {
    existing     = { arn = "arn:aws:sns:us-east-1:123456789012:prices.fifo" }
    filter       = "price"
    filter_scope = "headers"
    name         = join("", [for _ in range(95) : "x"])
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_sns_topic.this[0].tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
