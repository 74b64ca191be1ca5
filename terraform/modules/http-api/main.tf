locals {
  authorization_types = merge(
    { iam = "AWS_IAM" },
    { for name, authorizer in var.authorizers : name => authorizer.function == null ? "JWT" : "CUSTOM" },
  )
}

resource "aws_apigatewayv2_api" "this" {
  name          = var.name
  protocol_type = "HTTP"

  dynamic "cors_configuration" {
    for_each = var.cors[*]
    content {
      allow_origins     = cors_configuration.value.allow_origins
      allow_methods     = cors_configuration.value.allow_methods
      allow_headers     = cors_configuration.value.allow_headers
      expose_headers    = cors_configuration.value.expose_headers
      allow_credentials = cors_configuration.value.allow_credentials
      max_age           = cors_configuration.value.max_age_s
    }
  }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      requestId          = "$context.requestId"
      time               = "$context.requestTime"
      ip                 = "$context.identity.sourceIp"
      route              = "$context.routeKey"
      path               = "$context.path"
      status             = "$context.status"
      latencyMs          = "$context.responseLatency"
      authorizerError    = "$context.authorizer.error"
      integrationStatus  = "$context.integrationStatus"
      integrationLatency = "$context.integrationLatency"
      integrationError   = "$context.integrationErrorMessage"
    })
  }

  # Both numbers or no block: a number left out is sent as 0, which refuses every request.
  dynamic "default_route_settings" {
    for_each = var.throttle[*]
    content {
      throttling_rate_limit  = default_route_settings.value.rate_per_s
      throttling_burst_limit = default_route_settings.value.burst
    }
  }

  dynamic "route_settings" {
    for_each = { for route, settings in var.routes : route => settings.throttle if settings.throttle != null }
    content {
      route_key              = route_settings.key
      throttling_rate_limit  = route_settings.value.rate_per_s
      throttling_burst_limit = route_settings.value.burst
    }
  }

  depends_on = [aws_apigatewayv2_route.this] # AWS refuses settings of a route it does not have yet

  lifecycle {
    # The provider would send a bound that is taken away as 0, too.
    postcondition {
      condition     = var.throttle != null || try(self.default_route_settings[0].throttling_burst_limit == 0, true)
      error_message = "A throttle can be changed but not taken away: expected rate_per_s and burst, such as your account's (10000 and 5000 in most regions), got null for an API that has one."
    }
  }
}

# The prefix /aws/vendedlogs/ keeps the group out of the account-wide log resource policy, which is full at 5,120 characters.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html
resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_158: encrypted with AWS's own key; bodies and tokens are not logged
  # checkov:skip=CKV_AWS_338: how long is the caller's to say
  name              = "/aws/vendedlogs/http-api/${var.name}"
  retention_in_days = var.log_retention_days
}

# One for each route, not for each function: AWS refuses to delete an integration that a route still targets, and Terraform
# would delete that of a renamed function before it moves the routes.
resource "aws_apigatewayv2_integration" "this" {
  for_each = var.routes

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.functions[each.value.function].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "this" {
  # checkov:skip=CKV_AWS_309: always set; NONE where the caller lets anybody in
  for_each = var.routes

  api_id               = aws_apigatewayv2_api.this.id
  route_key            = each.key
  target               = "integrations/${aws_apigatewayv2_integration.this[each.key].id}"
  authorization_type   = each.value.authorizer == null ? "NONE" : local.authorization_types[each.value.authorizer]
  authorizer_id        = each.value.authorizer == null || each.value.authorizer == "iam" ? null : aws_apigatewayv2_authorizer.this[each.value.authorizer].id
  authorization_scopes = each.value.scopes
}

resource "aws_apigatewayv2_authorizer" "this" {
  for_each = var.authorizers

  api_id                            = aws_apigatewayv2_api.this.id
  name                              = each.key
  authorizer_type                   = each.value.function == null ? "JWT" : "REQUEST"
  identity_sources                  = each.value.identity
  authorizer_uri                    = each.value.function == null ? null : var.functions[each.value.function].invoke_arn
  authorizer_payload_format_version = each.value.function == null ? null : "2.0"
  enable_simple_responses           = each.value.function == null ? null : true
  authorizer_result_ttl_in_seconds  = each.value.function == null ? null : each.value.ttl_s

  dynamic "jwt_configuration" {
    for_each = each.value.function == null ? [each.value] : []
    content {
      issuer   = jwt_configuration.value.issuer
      audience = jwt_configuration.value.audience
    }
  }

  timeouts {
    delete = "2m" # AWS refuses while a route has it; half an hour of trying, the default, changes nothing
  }
}

# For every route of this API: a statement for each (400 of a policy's 20,480 bytes, and a resource to refresh) would keep out
# nobody, as whoever can add routes can change those there are, and a route on its way to another function would lose the
# right to call the old one before it leads to the new one.
resource "aws_lambda_permission" "this" {
  for_each = toset(values(var.routes)[*].function)

  statement_id  = "http-api"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[each.key].function_name
  qualifier     = var.functions[each.key].alias
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}

resource "aws_lambda_permission" "authorizer" {
  for_each = { for name, authorizer in var.authorizers : name => authorizer.function if authorizer.function != null }

  statement_id  = "http-api-authorizer-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = var.functions[each.value].function_name
  qualifier     = var.functions[each.value].alias
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.this[each.key].id}"
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.domain == null ? 0 : 1

  api_id          = aws_apigatewayv2_api.this.id
  stage           = aws_apigatewayv2_stage.default.id
  domain_name     = aws_apigatewayv2_domain_name.this[0].id
  api_mapping_key = var.domain.path
}
