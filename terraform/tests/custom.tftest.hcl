mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=" }
  }
}

override_module {
  target  = module.custom
  outputs = { for_functions = { table = "shop-orders", topic_arn = "arn:aws:sns:us-east-1:123456789012:prices" } }
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
  functions = { greeting = merge(jsondecode(file("./tests/function.json")), {
    environment = {
      LOG_LEVEL = "INFO"
      TABLE     = "{custom.table}"
      BOTH      = "{custom.table} \"and\" <{custom.topic_arn}>{"
      PATTERN   = "{\"source\":[\"{custom.table}\"]}"
      TEMPLATE  = "{{custom.Table}}"
    }
  }) }
}

run "placeholders_become_what_terraform_custom_gives" {
  command = plan
  assert {
    condition = local.filled == {
      "{custom.table}"                               = "shop-orders"
      "{custom.table} \"and\" <{custom.topic_arn}>{" = "shop-orders \"and\" <arn:aws:sns:us-east-1:123456789012:prices>{"
      "{\"source\":[\"{custom.table}\"]}"            = "{\"source\":[\"shop-orders\"]}"
    }
    error_message = "Got ${jsonencode(local.filled)}."
  }
}

run "what_terraform_custom_does_not_give_is_refused_by_name" {
  command         = plan
  expect_failures = [output.custom]
  variables {
    functions = { greeting = merge(jsondecode(file("./tests/function.json")), { environment = { TABLE = "{custom.tabel}" } }) }
  }
}

run "alarms_may_tell_a_topic_of_the_teams" {
  command = plan
  variables {
    alarms = { actions = ["{custom.topic_arn}"] }
  }
  assert {
    condition     = local.filled["{custom.topic_arn}"] == "arn:aws:sns:us-east-1:123456789012:prices"
    error_message = "Settings of operators are filled in, too."
  }
}

run "a_topic_that_terraform_custom_does_not_give_is_refused" {
  command         = plan
  expect_failures = [output.custom]
  variables {
    alarms = { actions = ["{custom.alerts}"] }
  }
}
