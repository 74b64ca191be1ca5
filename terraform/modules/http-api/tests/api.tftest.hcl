mock_provider "aws" {
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      id            = "a1b2c3d4e5"
      execution_arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
      api_endpoint  = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    }
  }
  mock_resource "aws_apigatewayv2_integration" {
    defaults = { id = "i1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/http-api/slipway-dev" }
  }
}

variables {
  name = "slipway-dev"
  functions = {
    orders = {
      routes        = ["POST /orders", "GET /orders/{id}"]
      function_name = "slipway-dev-orders"
      alias         = "live"
      invoke_arn    = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live/invocations"
    }
  }
}

run "every_route_reaches_the_alias" {
  assert {
    condition     = keys(aws_apigatewayv2_route.this) == ["GET /orders/{id}", "POST /orders"] && alltrue([for r in aws_apigatewayv2_route.this : r.target == "integrations/i1"])
    error_message = "Each route must target its integration."
  }
  assert {
    condition     = alltrue([for i in aws_apigatewayv2_integration.this : strcontains(i.integration_uri, ":live/") && i.payload_format_version == "2.0"])
    error_message = "The integration must call the alias, with events of version 2.0."
  }
  assert {
    condition     = output.url == "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    error_message = "The URL must be the API's."
  }
}

# State carries over from the run before: an integration made anew would be i2.
run "a_renamed_function_keeps_the_integrations_of_its_routes" {
  variables {
    functions = {
      sales = {
        routes        = ["POST /orders", "GET /orders/{id}"]
        function_name = "slipway-dev-sales"
        alias         = "live"
        invoke_arn    = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-sales:live/invocations"
      }
    }
  }
  override_resource {
    target = aws_apigatewayv2_integration.this
    values = { id = "i2" }
  }
  assert {
    condition     = alltrue([for r in aws_apigatewayv2_route.this : r.target == "integrations/i1"])
    error_message = "A route that moves must keep its integration: deleting one that is in use is refused."
  }
  assert {
    condition     = alltrue([for i in aws_apigatewayv2_integration.this : i.integration_uri == var.functions.sales.invoke_arn])
    error_message = "The routes must lead to the renamed function."
  }
}

run "only_this_api_may_call_the_alias" {
  assert {
    condition     = aws_lambda_permission.this["orders"].qualifier == "live" && aws_lambda_permission.this["orders"].source_arn == "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/*"
    error_message = "The permission must be for the alias and this API."
  }
}

run "access_logs_are_json" {
  assert {
    condition     = jsondecode(one(aws_apigatewayv2_stage.default.access_log_settings).format).status == "$context.status"
    error_message = "An access log line must be JSON with the status."
  }
}

run "a_route_of_two_functions_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = {
      a = { routes = ["GET /"], function_name = "a", alias = "live", invoke_arn = "arn:a" }
      b = { routes = ["GET /"], function_name = "b", alias = "live", invoke_arn = "arn:b" }
    }
  }
}

run "a_route_without_a_method_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { a = { routes = ["/orders"], function_name = "a", alias = "live", invoke_arn = "arn:a" } }
  }
}
