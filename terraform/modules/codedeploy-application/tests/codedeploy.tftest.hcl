mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/slipway-dev-orders.codedeploy" }
  }
}

variables {
  name  = "slipway-dev"
  place = { region = "us-east-1", account_id = "123456789012" }
  groups = { orders = {
    function_name = "slipway-dev-orders"
    strategy      = "canary"
    alarms        = ["slipway-dev-orders-errors", "slipway-dev-orders-throttles"]
    hooks         = { BeforeAllowTraffic = "slipway-dev-checks", AfterAllowTraffic = "slipway-dev-checks" }
    tags          = { team = "shop" }
  } }
}

run "callers_are_shifted_between_versions_of_functions" {
  command = plan
  assert {
    condition     = aws_codedeploy_app.this.compute_platform == "Lambda" && aws_codedeploy_deployment_group.this["orders"].deployment_style[0].deployment_option == "WITH_TRAFFIC_CONTROL" && aws_codedeploy_deployment_group.this["orders"].deployment_style[0].deployment_type == "BLUE_GREEN"
    error_message = "It must be Lambda's way of shifting."
  }
  assert {
    condition     = output.groups == { orders = { application = "slipway-dev", name = "slipway-dev-orders", hooks = tomap({ BeforeAllowTraffic = "slipway-dev-checks", AfterAllowTraffic = "slipway-dev-checks" }) } }
    error_message = "Got ${jsonencode(output.groups)}."
  }
  assert {
    condition     = aws_codedeploy_deployment_group.this["orders"].tags == tomap({ team = "shop" }) && aws_iam_role.this["orders"].tags == tomap({ team = "shop" })
    error_message = "Group and role must have the function's tags."
  }
}

run "failures_alarms_and_whoever_stops_it_bring_everybody_back" {
  command = plan
  assert {
    condition     = aws_codedeploy_deployment_group.this["orders"].auto_rollback_configuration[0].enabled && aws_codedeploy_deployment_group.this["orders"].auto_rollback_configuration[0].events == toset(["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"])
    error_message = "Whatever ends it must undo it."
  }
  assert {
    condition     = aws_codedeploy_deployment_group.this["orders"].alarm_configuration[0].enabled && aws_codedeploy_deployment_group.this["orders"].alarm_configuration[0].alarms == toset(["slipway-dev-orders-errors", "slipway-dev-orders-throttles"])
    error_message = "The function's alarms must be watched."
  }
}

run "a_function_without_alarms_or_hooks_is_shifted_all_the_same" {
  command = plan
  variables {
    groups = { orders = { function_name = "slipway-dev-orders" } }
  }
  assert {
    condition     = length(aws_codedeploy_deployment_group.this["orders"].alarm_configuration) == 0 && aws_codedeploy_deployment_group.this["orders"].deployment_config_name == "CodeDeployDefault.LambdaAllAtOnce"
    error_message = "Everybody must come at once, and no alarm decide."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.this["orders"].policy).Statement) == 2
    error_message = "There is nothing to invoke."
  }
}

run "what_aws_has_a_configuration_for_gets_none_of_its_own" {
  command = plan
  variables {
    groups = {
      first  = { function_name = "first", strategy = "canary", percent = 10, minutes = 30 }
      second = { function_name = "second", strategy = "linear", percent = 10, minutes = 1 }
      third  = { function_name = "third", strategy = "linear", percent = 10, minutes = 3 }
    }
  }
  assert {
    condition = { for key, group in aws_codedeploy_deployment_group.this : key => group.deployment_config_name } == {
      first  = "CodeDeployDefault.LambdaCanary10Percent30Minutes"
      second = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
      third  = "CodeDeployDefault.LambdaLinear10PercentEvery3Minutes"
    }
    error_message = "Got ${jsonencode(values(aws_codedeploy_deployment_group.this)[*].deployment_config_name)}."
  }
  assert {
    condition     = length(aws_codedeploy_deployment_config.this) == 0
    error_message = "An account may have 50 of its own."
  }
}

run "other_steps_get_a_configuration_named_after_them" {
  command = plan
  variables {
    groups = {
      first  = { function_name = "first", strategy = "canary", percent = 25, minutes = 5 }
      second = { function_name = "second", strategy = "linear", percent = 20, minutes = 7 }
    }
  }
  assert {
    condition     = values(aws_codedeploy_deployment_group.this)[*].deployment_config_name == ["first.canary-25-percent-5-min", "second.linear-20-percent-7-min"]
    error_message = "Got ${jsonencode(values(aws_codedeploy_deployment_group.this)[*].deployment_config_name)}."
  }
  assert {
    condition = (
      aws_codedeploy_deployment_config.this["first"].traffic_routing_config[0].time_based_canary[0].percentage == 25 &&
      aws_codedeploy_deployment_config.this["first"].traffic_routing_config[0].time_based_canary[0].interval == 5 &&
      aws_codedeploy_deployment_config.this["second"].traffic_routing_config[0].time_based_linear[0].percentage == 20 &&
      aws_codedeploy_deployment_config.this["second"].traffic_routing_config[0].time_based_linear[0].interval == 7
    )
    error_message = "The steps must be those that were asked for."
  }
}

run "a_role_may_move_its_own_function_and_ask_its_own_hooks" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role_policy.this["orders"].policy).Statement == [
      {
        Effect   = "Allow"
        Action   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
        Resource = ["arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders", "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:*"]
      },
      { Effect = "Allow", Action = ["cloudwatch:DescribeAlarms"], Resource = ["*"] },
      {
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-checks", "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-checks:*"]
      },
    ]
    error_message = "The role may do more or less than its work, got ${aws_iam_role_policy.this["orders"].policy}."
  }
}

run "only_its_own_group_may_take_a_role_inside_the_boundary" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/slipway-dev.boundary"
  }
  assert {
    condition = jsondecode(aws_iam_role.this["orders"].assume_role_policy).Statement == [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = {
        "aws:SourceAccount" = "123456789012"
        "aws:SourceArn"     = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:slipway-dev/slipway-dev-orders"
      } }
    }]
    error_message = "Other groups must not be able to run as the role."
  }
  assert {
    condition     = aws_iam_role.this["orders"].name == "slipway-dev-orders.codedeploy" && aws_iam_role.this["orders"].permissions_boundary == "arn:aws:iam::123456789012:policy/slipway-dev.boundary"
    error_message = "The role must be bounded, and named apart from functions' roles."
  }
}

run "a_function_whose_role_would_have_too_long_a_name_is_refused" {
  command         = plan
  expect_failures = [var.groups]
  variables {
    groups = { orders = { function_name = join("", [for _ in range(54) : "x"]) } }
  }
}

run "a_strategy_that_there_is_not_is_refused" {
  command         = plan
  expect_failures = [var.groups]
  variables {
    groups = { orders = { function_name = "orders", strategy = "half" } }
  }
}

run "a_share_of_everybody_is_refused" {
  command         = plan
  expect_failures = [var.groups]
  variables {
    groups = { orders = { function_name = "orders", strategy = "canary", percent = 100 } }
  }
}

run "more_than_two_days_are_refused" {
  command         = plan
  expect_failures = [var.groups]
  variables {
    groups = { orders = { function_name = "orders", strategy = "linear", percent = 1, minutes = 30 } }
  }
}

run "a_hook_of_another_moment_is_refused" {
  command         = plan
  expect_failures = [var.groups]
  variables {
    groups = { orders = { function_name = "orders", hooks = { BeforeInstall = "checks" } } }
  }
}

run "names_accounts_and_boundaries_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.place, var.permissions_boundary]
  variables {
    name                 = "slipway dev"
    place                = { region = "us-east-1", account_id = "12345" }
    permissions_boundary = "functions"
  }
}
