mock_provider "aws" {}

variables {
  name   = "slipway-dev"
  region = "us-east-1"
  functions = {
    orders = {
      function_name      = "slipway-dev-orders"
      log_group          = "/aws/lambda/slipway-dev-orders"
      alarm_arns         = ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:slipway-dev-orders-errors"]
      dead_letter_queues = ["slipway-dev-orders-incoming-dead-letter"]
    }
    greeting = { function_name = "slipway-dev-greeting", log_group = "/aws/lambda/slipway-dev-greeting" }
  }
}

run "every_function_has_a_line_in_every_graph" {
  command = plan
  assert {
    condition = { for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.title => [for metric in widget.properties.metrics : metric[length(metric) - 1].label] if widget.type == "metric" } == {
      "Invocations"                    = ["greeting", "orders"]
      "Errors"                         = ["greeting", "orders"]
      "Duration, median (ms)"          = ["greeting", "orders"]
      "Duration, 99th percentile (ms)" = ["greeting", "orders"]
      "Throttles"                      = ["greeting", "orders"]
      "Concurrent executions"          = ["greeting", "orders"]
      "Messages given up"              = ["orders-incoming-dead-letter"]
    }
    error_message = "Got ${aws_cloudwatch_dashboard.this.dashboard_body}."
  }
}

run "what_is_live_is_shown" {
  command = plan
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "[\"AWS/Lambda\",\"Errors\",\"FunctionName\",\"slipway-dev-orders\",\"Resource\",\"slipway-dev-orders:live\",{\"id\":\"m1\",\"label\":\"orders\",\"visible\":true}]")
    error_message = "Got ${aws_cloudwatch_dashboard.this.dashboard_body}."
  }
}

run "alarms_stand_first_and_logs_are_one_click_away" {
  command = plan
  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.alarms == ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:slipway-dev-orders-errors"]
    error_message = "The first widget must show the alarms."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "[greeting](#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fslipway-dev-greeting)")
    error_message = "Got ${aws_cloudwatch_dashboard.this.dashboard_body}."
  }
}

run "of_many_functions_a_graph_draws_the_highest" {
  command = plan
  variables {
    functions = { for n in range(200) : "f${n}" => {
      function_name      = "slipway-dev-f${n}"
      log_group          = "/aws/lambda/slipway-dev-f${n}"
      alarm_arns         = [for kind in ["errors", "throttles", "duration"] : "arn:aws:cloudwatch:us-east-1:123456789012:alarm:slipway-dev-f${n}-${kind}"]
      dead_letter_queues = [for m in range(3) : "slipway-dev-f${n}-${m}-dead-letter"]
    } }
  }
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      endswith(widget.properties.title, ": the 20 highest") && endswith(widget.properties.metrics[0][0].expression, "DESC, 20)") && !widget.properties.metrics[1][length(widget.properties.metrics[1]) - 1].visible
    if widget.type == "metric"])
    error_message = "200 lines cannot be read."
  }
  assert {
    condition = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      length(lookup(widget.properties, "metrics", [])) <= 500 && length(lookup(widget.properties, "alarms", [])) <= 100
    ])
    error_message = "A graph holds 500 metrics, and a widget 100 alarms."
  }
}

run "no_function_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = {}
  }
}

run "names_and_lines_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.lines]
  variables {
    name  = "slipway/dev"
    lines = 0
  }
}
