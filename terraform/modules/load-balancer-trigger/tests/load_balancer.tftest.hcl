mock_provider "aws" {
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/slipway-dev-orders-shop/73e2d6bc24d8a067" }
  }
}

variables {
  name          = "slipway-dev-orders-shop"
  function_name = "slipway-dev-orders"
  alias = {
    name = "live"
    arn  = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  }
  rule = {
    listener_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2"
    priority     = 10
    paths        = ["/orders/*"]
    hosts        = ["shop.example.com"]
    methods      = ["GET", "POST"]
  }
}

run "requests_that_meet_the_conditions_reach_the_alias" {
  assert {
    condition     = aws_lb_target_group.this.target_type == "lambda" && aws_lb_target_group_attachment.this.target_id == var.alias.arn && aws_lb_target_group_attachment.this.target_group_arn == aws_lb_target_group.this.arn
    error_message = "The alias must be the group's target."
  }
  assert {
    condition     = [for a in aws_lb_listener_rule.this[0].action : [a.type, a.target_group_arn]] == [["forward", aws_lb_target_group.this.arn]] && aws_lb_listener_rule.this[0].priority == 10
    error_message = "The rule must forward to the group."
  }
  assert {
    condition = toset([for c in aws_lb_listener_rule.this[0].condition : join(" ", flatten([c.path_pattern[*].values, c.host_header[*].values, c.http_request_method[*].values]))]) == toset([
      "/orders/*", "shop.example.com", "GET POST"
    ])
    error_message = "Got ${jsonencode(aws_lb_listener_rule.this[0].condition)}."
  }
  assert {
    condition     = output.target_group_arn == aws_lb_target_group.this.arn
    error_message = "The team may want a rule of its own."
  }
}

run "only_the_target_group_may_call_the_alias" {
  assert {
    condition     = aws_lambda_permission.this.source_arn == aws_lb_target_group.this.arn && aws_lambda_permission.this.qualifier == "live" && aws_lambda_permission.this.principal == "elasticloadbalancing.amazonaws.com"
    error_message = "The permission must be for the alias and this group."
  }
}

run "without_a_rule_there_is_a_target_group_alone" {
  command = plan
  variables {
    rule                = null
    multi_value_headers = true
  }
  assert {
    condition     = length(aws_lb_listener_rule.this) == 0 && aws_lb_target_group.this.lambda_multi_value_headers_enabled
    error_message = "The rule is made elsewhere."
  }
}

run "the_function_is_asked_whether_it_is_well_only_where_it_says_so" {
  command = plan
  assert {
    condition     = !one(aws_lb_target_group.this.health_check).enabled
    error_message = "Each health check is an invoke."
  }
}

run "a_health_check_waits_no_longer_than_its_interval" {
  command = plan
  variables {
    health_check_path = "/health"
  }
  assert {
    condition     = one(aws_lb_target_group.this.health_check).enabled && one(aws_lb_target_group.this.health_check).path == "/health" && one(aws_lb_target_group.this.health_check).timeout < one(aws_lb_target_group.this.health_check).interval
    error_message = "Got ${jsonencode(aws_lb_target_group.this.health_check)}."
  }
}

run "a_name_that_aws_refuses_is_refused" {
  command         = plan
  expect_failures = [var.name]
  variables {
    name = "slipway-production-orders-storefront"
  }
}

run "a_path_without_a_slash_is_refused" {
  command         = plan
  expect_failures = [var.health_check_path]
  variables {
    health_check_path = "health"
  }
}

run "a_rule_for_every_request_is_refused" {
  command         = plan
  expect_failures = [var.rule]
  variables {
    rule = { listener_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2", priority = 10 }
  }
}

run "a_rule_without_a_place_is_refused" {
  command         = plan
  expect_failures = [var.rule]
  variables {
    rule = { listener_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2", priority = 0, paths = ["/*"] }
  }
}
