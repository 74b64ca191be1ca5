mock_provider "aws" {
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      id            = "a1b2c3d4e5"
      execution_arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
      api_endpoint  = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    }
  }
  mock_resource "aws_apigatewayv2_authorizer" {
    defaults = { id = "z9y8x7" }
  }
  mock_resource "aws_apigatewayv2_integration" {
    defaults = { id = "i1" }
  }
  mock_resource "aws_apigatewayv2_stage" {
    defaults = { id = "$default" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/http-api/slipway-dev" }
  }
}

variables {
  name = "slipway-dev"
  functions = {
    orders = {
      function_name = "slipway-dev-orders"
      alias         = "live"
      invoke_arn    = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live/invocations"
    }
    doorkeeper = {
      function_name = "slipway-dev-doorkeeper"
      alias         = "live"
      invoke_arn    = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-doorkeeper:live/invocations"
    }
  }
  routes = {
    "GET /orders/{id}" = { function = "orders" }
    "POST /orders"     = { function = "orders" }
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
    condition     = output.url == "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com" && output.domain == null
    error_message = "The URL must be the API's."
  }
}

# State carries over from the run before: an integration made anew would be i2.
run "a_renamed_function_keeps_the_integrations_of_its_routes" {
  variables {
    functions = {
      sales = {
        function_name = "slipway-dev-sales"
        alias         = "live"
        invoke_arn    = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-sales:live/invocations"
      }
    }
    routes = {
      "GET /orders/{id}" = { function = "sales" }
      "POST /orders"     = { function = "sales" }
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

run "only_this_api_may_call_an_alias" {
  assert {
    condition = { for name, p in aws_lambda_permission.this : name => "${p.function_name}:${p.qualifier} ${p.statement_id} ${p.source_arn}" } == {
      orders = "slipway-dev-orders:live http-api arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/*"
    }
    error_message = "The statement must be for the alias and this API, and only where there are routes."
  }
}

run "a_route_lets_in_whom_its_authorizer_does" {
  variables {
    routes = {
      "GET /all"      = { function = "orders" }
      "GET /signed"   = { function = "orders", authorizer = "iam" }
      "GET /token"    = { function = "orders", authorizer = "staff", scopes = ["orders/read"] }
      "GET /function" = { function = "orders", authorizer = "partners" }
    }
    authorizers = {
      partners = { function = "doorkeeper", identity = ["$request.header.X-Key"], ttl_s = 60 }
      staff    = { issuer = "https://login.example.com/", audience = ["orders"] }
    }
  }
  assert {
    condition = { for route, r in aws_apigatewayv2_route.this : route => "${r.authorization_type} ${coalesce(r.authorizer_id, "-")}" } == {
      "GET /all"      = "NONE -"
      "GET /signed"   = "AWS_IAM -"
      "GET /token"    = "JWT z9y8x7"
      "GET /function" = "CUSTOM z9y8x7"
    }
    error_message = "Got ${jsonencode({ for route, r in aws_apigatewayv2_route.this : route => [r.authorization_type, r.authorizer_id] })}."
  }
  assert {
    condition     = aws_apigatewayv2_route.this["GET /token"].authorization_scopes == toset(["orders/read"])
    error_message = "A token needs the scope."
  }
}

run "an_authorizer_reads_tokens_or_asks_a_function" {
  variables {
    authorizers = {
      partners = { function = "doorkeeper", identity = ["$request.header.X-Key"], ttl_s = 60 }
      staff    = { issuer = "https://login.example.com/", audience = ["orders"] }
    }
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.this["staff"].authorizer_type == "JWT" && one(aws_apigatewayv2_authorizer.this["staff"].jwt_configuration).issuer == "https://login.example.com/" && aws_apigatewayv2_authorizer.this["staff"].identity_sources == toset(["$request.header.Authorization"])
    error_message = "Tokens must come from the issuer, in the header Authorization."
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.this["partners"].authorizer_uri == var.functions.doorkeeper.invoke_arn && aws_apigatewayv2_authorizer.this["partners"].authorizer_payload_format_version == "2.0" && aws_apigatewayv2_authorizer.this["partners"].enable_simple_responses && aws_apigatewayv2_authorizer.this["partners"].authorizer_result_ttl_in_seconds == 60
    error_message = "The function must be asked by its alias, in the simple form."
  }
  assert {
    condition     = { for name, p in aws_lambda_permission.authorizer : name => "${p.function_name}:${p.qualifier} ${p.source_arn}" } == { partners = "slipway-dev-doorkeeper:live arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/authorizers/z9y8x7" }
    error_message = "The function may be called for its authorizer alone."
  }
}

run "a_bound_is_for_one_route_or_for_all_others" {
  variables {
    throttle = { rate_per_s = 100, burst = 200 }
    routes = {
      "GET /orders/{id}" = { function = "orders" }
      "POST /orders"     = { function = "orders", throttle = { rate_per_s = 10, burst = 20 } }
    }
  }
  assert {
    condition     = [for s in aws_apigatewayv2_stage.default.default_route_settings : [s.throttling_rate_limit, s.throttling_burst_limit]] == [[100, 200]]
    error_message = "The API's own bound is for all other routes."
  }
  assert {
    condition     = [for s in aws_apigatewayv2_stage.default.route_settings : [s.route_key, s.throttling_rate_limit, s.throttling_burst_limit]] == [["POST /orders", 10, 20]]
    error_message = "The route has a bound of its own."
  }
}

run "pages_of_other_origins_may_call_where_cors_says_so" {
  variables {
    cors = { allow_origins = ["https://example.com"], max_age_s = 600 }
  }
  assert {
    condition     = [for c in aws_apigatewayv2_api.this.cors_configuration : [join(",", c.allow_origins), join(",", c.allow_methods), c.max_age]] == [["https://example.com", "*", 600]]
    error_message = "Got ${jsonencode(aws_apigatewayv2_api.this.cors_configuration)}."
  }
}

run "it_answers_at_a_domain_too" {
  variables {
    domain = {
      name            = "api.example.com"
      certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0d5d1a1e-6f55-4c1b-9d5e-2a1c3e5f7a9b"
      path            = "shop"
    }
  }
  override_resource {
    target = aws_apigatewayv2_domain_name.this
    values = {
      id                        = "api.example.com"
      domain_name_configuration = { target_domain_name = "d-a1b2.execute-api.us-east-1.amazonaws.com", hosted_zone_id = "Z1UJRXOUMOOFQ8" }
    }
  }
  assert {
    condition     = one(aws_apigatewayv2_domain_name.this[0].domain_name_configuration).security_policy == "TLS_1_2" && one(aws_apigatewayv2_domain_name.this[0].domain_name_configuration).endpoint_type == "REGIONAL"
    error_message = "Old TLS must be refused."
  }
  assert {
    condition     = aws_apigatewayv2_api_mapping.this[0].api_mapping_key == "shop" && aws_apigatewayv2_api_mapping.this[0].stage == "$default"
    error_message = "The path of the domain must lead to the stage."
  }
  assert {
    condition     = output.domain == { target = "d-a1b2.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8", url = "https://api.example.com/shop" }
    error_message = "Got ${jsonencode(output.domain)}."
  }
  assert {
    condition     = output.url == "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com" && aws_apigatewayv2_api.this.disable_execute_api_endpoint != true
    error_message = "Its own address must go on answering."
  }
}

run "access_logs_are_json" {
  assert {
    condition     = jsondecode(one(aws_apigatewayv2_stage.default.access_log_settings).format).status == "$context.status"
    error_message = "An access log line must be JSON with the status."
  }
}

run "a_route_without_a_method_is_refused" {
  command         = plan
  expect_failures = [var.routes]
  variables {
    routes = { "/orders" = { function = "orders" } }
  }
}

run "a_route_of_an_unknown_function_is_refused" {
  command         = plan
  expect_failures = [var.routes]
  variables {
    routes = { "GET /" = { function = "sales" } }
  }
}

run "a_route_with_an_unknown_authorizer_is_refused" {
  command         = plan
  expect_failures = [var.routes]
  variables {
    routes = { "GET /" = { function = "orders", authorizer = "staff" } }
  }
}

run "scopes_without_tokens_are_refused" {
  command         = plan
  expect_failures = [var.routes]
  variables {
    routes      = { "GET /" = { function = "orders", authorizer = "partners", scopes = ["orders/read"] } }
    authorizers = { partners = { function = "doorkeeper" } }
  }
}

run "a_route_that_takes_no_request_is_refused" {
  command         = plan
  expect_failures = [var.routes, var.throttle]
  variables {
    throttle = { rate_per_s = 0, burst = 1 }
    routes   = { "GET /" = { function = "orders", throttle = { rate_per_s = 1, burst = 0 } } }
  }
}

run "an_authorizer_that_does_both_is_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { staff = { issuer = "https://login.example.com/", audience = ["orders"], function = "doorkeeper" } }
  }
}

run "tokens_for_anybody_are_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { staff = { issuer = "https://login.example.com/" } }
  }
}

run "an_authorizer_of_an_unknown_function_is_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { partners = { function = "sales" } }
  }
}

run "a_token_in_two_places_is_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { staff = { issuer = "https://login.example.com/", audience = ["orders"], identity = ["$request.header.A", "$request.header.B"] } }
  }
}

run "an_answer_that_is_remembered_for_a_day_is_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { partners = { function = "doorkeeper", ttl_s = 86400 } }
  }
}

run "an_authorizer_called_iam_is_refused" {
  command         = plan
  expect_failures = [var.authorizers]
  variables {
    authorizers = { iam = { function = "doorkeeper" } }
  }
}

run "credentials_for_every_origin_are_refused" {
  command         = plan
  expect_failures = [var.cors]
  variables {
    cors = { allow_origins = ["*"], allow_credentials = true }
  }
}

run "a_path_with_a_slash_before_it_is_refused" {
  command         = plan
  expect_failures = [var.domain]
  variables {
    domain = { name = "api.example.com", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0d5d1a1e-6f55-4c1b-9d5e-2a1c3e5f7a9b", path = "/shop" }
  }
}
