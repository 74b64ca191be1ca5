mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=" }
  }
}

variables {
  schema_version  = 2
  name            = "slipway"
  env             = "dev"
  stack           = null
  region          = "us-east-1"
  account_id      = "123456789012"
  artifact_bucket = "slipway-dev-artifacts-123456789012-us-east-1"
  http_api        = { cors = null, throttle = null, authorizers = {}, domain = null }
  layers          = {}
  functions = {
    checks = jsondecode(file("./tests/function.json"))
    greeting = merge(jsondecode(file("./tests/function.json")), {
      codedeploy = { strategy = "canary", percent = 10, minutes = 5, before_hook = "checks", after_hook = null }
      tags       = { team = "shop" }
    })
  }
}

run "who_asks_for_nothing_gets_no_application" {
  command = plan
  variables {
    functions = { greeting = jsondecode(file("./tests/function.json")) }
  }
  assert {
    condition     = length(module.codedeploy_application) == 0 && output.deployment_groups == {}
    error_message = "The roll-out shifts by itself."
  }
}

run "a_function_that_asks_for_it_has_a_group_that_its_own_alarms_end" {
  command = plan
  assert {
    condition     = output.deployment_groups == { greeting = { application = "slipway-dev", name = "slipway-dev-greeting", hooks = tomap({ BeforeAllowTraffic = "slipway-dev-checks" }) } }
    error_message = "Got ${jsonencode(output.deployment_groups)}."
  }
}

run "a_hook_may_say_how_it_went_to_the_groups_that_ask_it_and_nobody_else_may" {
  command = plan
  assert {
    condition = { for name, statements in local.statements : name => [for s in statements : s.resources if contains(s.actions, "codedeploy:PutLifecycleEventHookExecutionStatus")] } == {
      checks   = [["arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:slipway-dev/slipway-dev-greeting"]]
      greeting = []
    }
    error_message = "Got ${jsonencode(local.statements)}."
  }
}

run "each_stack_has_an_application_of_its_own" {
  command = plan
  variables {
    stack = "shop"
  }
  assert {
    condition     = output.deployment_groups.greeting.application == "slipway-dev_shop"
    error_message = "Two states must not make one application."
  }
}

run "a_hook_of_another_state_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(jsondecode(file("./tests/function.json")), {
      codedeploy = { strategy = "at-once", percent = 10, minutes = 1, before_hook = null, after_hook = "checks" }
    }) }
  }
}
