mock_provider "aws" {
  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://a1b2c3.lambda-url.us-east-1.on.aws/" }
  }
}

variables {
  function_name = "slipway-dev-orders"
  alias         = "live"
  auth          = "iam"
}

run "signed_requests_reach_the_alias" {
  assert {
    condition     = aws_lambda_function_url.this.authorization_type == "AWS_IAM" && aws_lambda_function_url.this.qualifier == "live" && aws_lambda_function_url.this.invoke_mode == "BUFFERED"
    error_message = "The URL must lead to the alias, for signed requests."
  }
  assert {
    condition     = length(aws_lambda_permission.anybody) == 0 && length(aws_cloudformation_stack.anybody) == 0
    error_message = "Nobody else may call."
  }
  assert {
    condition     = output.url == "https://a1b2c3.lambda-url.us-east-1.on.aws/"
    error_message = "Got ${output.url}."
  }
}

run "anybody_may_call_through_the_url_alone" {
  variables {
    auth   = "none"
    reason = "Webhooks of the payment provider, which signs them"
  }
  assert {
    condition     = aws_lambda_function_url.this.authorization_type == "NONE"
    error_message = "Requests need no signature."
  }
  assert {
    condition     = [for p in aws_lambda_permission.anybody : [p.statement_id, p.action, p.principal, p.qualifier, p.function_url_auth_type]] == [["FunctionURLAllowPublicAccess", "lambda:InvokeFunctionUrl", "*", "live", "NONE"]]
    error_message = "The statement must be the one that the provider would make."
  }
  assert {
    condition = jsondecode(aws_cloudformation_stack.anybody[0].template_body).Resources.Permission.Properties == {
      Action                = "lambda:InvokeFunction"
      FunctionName          = "slipway-dev-orders:live"
      Principal             = "*"
      InvokedViaFunctionUrl = true
    }
    error_message = "The function itself may be called through the URL only."
  }
  assert {
    condition     = endswith(jsondecode(aws_cloudformation_stack.anybody[0].template_body).Description, ": Webhooks of the payment provider, which signs them")
    error_message = "Whoever finds the statement must find the reason."
  }
}

run "a_function_that_is_made_anew_as_an_image_gets_its_statement_again" {
  variables {
    package_type = "Image"
    auth         = "none"
    reason       = "Webhooks of the payment provider, which signs them"
  }
  assert {
    condition     = keys(jsondecode(aws_cloudformation_stack.anybody[0].template_body).Resources) == ["PermissionOfImage"]
    error_message = "Under its old name CloudFormation takes the statement for one that is there."
  }
}

run "a_reason_in_another_script_comes_back_as_it_was_sent" {
  command = plan
  variables {
    auth   = "none"
    reason = "Für Zahlungen"
  }
  assert {
    condition     = endswith(jsondecode(aws_cloudformation_stack.anybody[0].template_body).Description, ": F?r Zahlungen")
    error_message = "CloudFormation keeps ASCII only: each plan would find a difference."
  }
}

run "pages_of_other_origins_may_call_where_cors_says_so" {
  variables {
    cors      = { allow_origins = ["https://example.com"], allow_methods = ["GET", "POST"], max_age_s = 600 }
    streaming = true
  }
  assert {
    condition     = [for c in aws_lambda_function_url.this.cors : [join(",", c.allow_origins), join(",", c.allow_methods), c.max_age]] == [["https://example.com", "GET,POST", 600]]
    error_message = "Got ${jsonencode(aws_lambda_function_url.this.cors)}."
  }
  assert {
    condition     = aws_lambda_function_url.this.invoke_mode == "RESPONSE_STREAM"
    error_message = "The answer must be streamed."
  }
}

run "an_unknown_kind_of_caller_is_refused" {
  command         = plan
  expect_failures = [var.auth]
  variables {
    auth = "NONE"
  }
}

run "anybody_without_a_reason_is_refused" {
  command         = plan
  expect_failures = [var.reason]
  variables {
    auth   = "none"
    reason = " "
  }
}

run "credentials_for_every_origin_are_refused" {
  command         = plan
  expect_failures = [var.cors]
  variables {
    cors = { allow_origins = ["*"], allow_credentials = true }
  }
}

run "a_method_that_lambda_answers_itself_is_refused" {
  command         = plan
  expect_failures = [var.cors]
  variables {
    cors = { allow_origins = ["*"], allow_methods = ["OPTIONS"] }
  }
}
