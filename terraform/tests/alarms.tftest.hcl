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
  functions       = { greeting = jsondecode(file("./tests/function.json")) }
}

run "every_function_has_alarms_and_is_on_the_dashboard" {
  command = plan
  assert {
    condition     = output.alarms == { greeting = tolist(["slipway-dev-greeting-duration", "slipway-dev-greeting-errors", "slipway-dev-greeting-throttles"]) }
    error_message = "Got ${jsonencode(output.alarms)}."
  }
  assert {
    condition     = keys(module.dashboard) == ["slipway-dev"]
    error_message = "Got dashboards ${join(", ", keys(module.dashboard))}."
  }
}

run "every_queue_of_what_was_given_up_has_an_alarm" {
  command = plan
  variables {
    functions = { orders = merge(jsondecode(file("./tests/function.json")), {
      asynchronous = { retries = 2, max_age_s = 21600, on_failure = "queue", on_success = null }
      triggers = merge(jsondecode(file("./tests/function.json")).triggers, {
        queue = { for name, kind in { incoming = [null, false], ordered = [null, true], theirs = ["arn:aws:sqs:us-east-1:123456789012:theirs", false] } : name => {
          arn = kind[0], fifo = kind[1], batch_size = 10, batch_window_s = 0, max_receive_count = 5, max_concurrency = null, filters = [], enabled = true
        } }
        event    = { paid = { pattern = "{\"source\":[\"payments\"]}", bus = "default", retries = 185, max_age_s = 86400, dead_letter = true, enabled = true } }
        schedule = { nightly = { expression = "rate(1 day)", timezone = "UTC", input = "{}", flexible_window_min = null, retries = 185, max_age_s = 86400, dead_letter = false, enabled = true } }
        stream = { clicks = {
          source  = "kinesis", arn = null, partition_key = null, sort_key = null, start = "latest", batch_size = 100, batch_window_s = 0, bisect = true,
          retries = 10, max_age_s = null, parallel = 1, on_failure = null, filters = [], enabled = true
        } }
      })
    }) }
  }
  assert {
    condition = setsubtract(output.alarms.orders, ["slipway-dev-orders-duration", "slipway-dev-orders-errors", "slipway-dev-orders-throttles"]) == toset([
      "slipway-dev-orders-clicks-dead-letter", "slipway-dev-orders-failures", "slipway-dev-orders-incoming-dead-letter",
      "slipway-dev-orders-ordered-dead-letter.fifo", "slipway-dev-orders-paid-dead-letter",
    ])
    error_message = "Got ${jsonencode(output.alarms)}."
  }
}

run "a_function_may_do_without_alarms" {
  command = plan
  variables {
    functions = { greeting = merge(jsondecode(file("./tests/function.json")), { alarms = { enabled = false, errors = 1, throttles = 1, duration_percent = 90, dead_letters = 1 } }) }
  }
  assert {
    condition     = output.alarms == {} && keys(module.dashboard) == ["slipway-dev"]
    error_message = "It has no alarms, and is shown all the same."
  }
}

run "one_setting_turns_all_of_it_off_for_an_env" {
  command = plan
  variables {
    alarms = { enabled = false }
  }
  assert {
    condition     = output.alarms == {} && keys(module.dashboard) == []
    error_message = "Neither alarms nor a dashboard were asked for."
  }
}

run "more_functions_than_a_dashboard_takes_get_several_and_a_stack_has_its_own" {
  command = plan
  variables {
    stack     = "shop"
    functions = { for n in range(201) : "f${n}" => merge(jsondecode(file("./tests/function.json")), { alarms = { enabled = false, errors = 1, throttles = 1, duration_percent = 90, dead_letters = 1 } }) }
  }
  assert {
    condition     = keys(module.dashboard) == ["slipway-dev_shop", "slipway-dev_shop_2"]
    error_message = "Got ${join(", ", keys(module.dashboard))}."
  }
}

run "whoever_cannot_be_told_is_refused" {
  command         = plan
  expect_failures = [var.alarms]
  variables {
    alarms = { actions = ["ops@example.com"] }
  }
}
