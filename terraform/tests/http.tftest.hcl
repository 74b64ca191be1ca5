mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = {
      api_endpoint  = "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
      execution_arn = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5"
    }
  }
  mock_resource "aws_apigatewayv2_domain_name" {
    defaults = { domain_name_configuration = { target_domain_name = "d-a1b2.execute-api.us-east-1.amazonaws.com", hosted_zone_id = "Z1UJRXOUMOOFQ8" } }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:group" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = {
      arn        = "arn:aws:lambda:us-east-1:123456789012:function:function:live"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:function:live/invocations"
    }
  }
  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://a1b2c3.lambda-url.us-east-1.on.aws/" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/slipway-dev-orders-shop/73e2d6bc24d8a067" }
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
  layers          = {}
  http_api = {
    cors     = null
    throttle = { rate_per_s = 100, burst = 200 }
    authorizers = {
      partners = { issuer = null, audience = [], function = "doorkeeper", identity = ["$request.header.X-Key"], ttl_s = 60 }
      staff    = { issuer = "https://login.example.com/", audience = ["orders"], function = null, identity = ["$request.header.Authorization"], ttl_s = 0 }
    }
    domain = { name = "api.example.com", certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/0d5d1a1e-6f55-4c1b-9d5e-2a1c3e5f7a9b", path = "" }
  }
  functions = { for name, triggers in {
    doorkeeper = {}
    orders = {
      http = {
        "GET /orders/{id}" = { authorizer = "partners", scopes = [], throttle = null }
        "POST /orders"     = { authorizer = "staff", scopes = ["orders/write"], throttle = { rate_per_s = 10, burst = 20 } }
      }
      url = { auth = "none", reason = "Webhooks of the payment provider", cors = null, streaming = false }
      load_balancer = { shop = {
        listener_arn = "{custom.listener}", priority = 10, paths = ["/orders/*"], hosts = [], methods = [], multi_value_headers = false, health_check_path = null
      } }
    }
    } : name => merge(jsondecode(file("./tests/function.json")), {
      triggers = merge(jsondecode(file("./tests/function.json")).triggers, triggers)
    })
  }
}

override_module {
  target = module.custom
  outputs = {
    for_functions = { listener = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/shop/50dc6c495c0c9188/f2f7dc8efc522ab2" }
  }
}

run "routes_have_one_address_and_their_domain" {
  assert {
    condition     = output.http_api_url == "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
    error_message = "Got ${jsonencode(output.http_api_url)}."
  }
  assert {
    condition     = output.http_api_domain == { target = "d-a1b2.execute-api.us-east-1.amazonaws.com", zone_id = "Z1UJRXOUMOOFQ8", url = "https://api.example.com" }
    error_message = "The team makes the DNS record, got ${jsonencode(output.http_api_domain)}."
  }
}

run "a_function_tells_its_own_url_and_target_groups" {
  assert {
    condition     = { for name, f in output.functions : name => f.url } == { doorkeeper = null, orders = "https://a1b2c3.lambda-url.us-east-1.on.aws/" }
    error_message = "Got ${jsonencode({ for name, f in output.functions : name => f.url })}."
  }
  assert {
    condition     = output.functions["orders"].target_groups["shop"] == "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/slipway-dev-orders-shop/73e2d6bc24d8a067"
    error_message = "The team may make the rule, got ${jsonencode(output.functions["orders"].target_groups)}."
  }
}

run "a_stack_has_an_api_of_its_own_without_the_domain" {
  variables {
    stack     = "shop"
    functions = { orders = merge(var.functions.orders, { triggers = merge(var.functions.orders.triggers, { http = { "POST /orders" = { authorizer = "staff", scopes = [], throttle = null } } }) }) }
  }
  assert {
    condition     = output.http_api_url != null && output.http_api_domain == null
    error_message = "Only one state can make the domain."
  }
}

run "authorizers_without_routes_make_no_api" {
  command = plan
  variables {
    functions = { doorkeeper = var.functions.doorkeeper }
  }
  assert {
    condition     = output.http_api_url == null && output.http_api_domain == null
    error_message = "Nobody asked for routes."
  }
}
