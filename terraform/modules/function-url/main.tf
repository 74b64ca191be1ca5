resource "aws_lambda_function_url" "this" {
  # checkov:skip=CKV_AWS_258: the caller decides, and must give a reason for NONE
  function_name      = var.function_name
  qualifier          = var.alias
  authorization_type = var.auth == "iam" ? "AWS_IAM" : "NONE"
  invoke_mode        = var.streaming ? "RESPONSE_STREAM" : "BUFFERED"

  dynamic "cors" {
    for_each = var.cors[*]
    content {
      allow_origins     = cors.value.allow_origins
      allow_methods     = cors.value.allow_methods
      allow_headers     = cors.value.allow_headers
      expose_headers    = cors.value.expose_headers
      allow_credentials = cors.value.allow_credentials
      max_age           = cors.value.max_age_s
    }
  }

  depends_on = [aws_lambda_permission.anybody, aws_cloudformation_stack.anybody]
}

# The provider adds this statement behind Terraform's back when it makes a URL, and never takes it away. Made before, under
# the same id, it is Terraform's, and the provider is content with it.
resource "aws_lambda_permission" "anybody" {
  count = var.auth == "none" ? 1 : 0

  statement_id           = "FunctionURLAllowPublicAccess"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = var.function_name
  qualifier              = var.alias
  principal              = "*"
  function_url_auth_type = "NONE"
}

# URLs made since October 2025 need lambda:InvokeFunction as well. aws_lambda_permission of provider 5 cannot bound it to
# calls through the URL; unbounded, anybody could hand the function any event. CloudFormation can.
# https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
resource "aws_cloudformation_stack" "anybody" {
  count = var.auth == "none" ? 1 : 0

  name = "${var.function_name}-url"
  template_body = jsonencode({
    Description = "Anybody may call the URL of ${var.function_name}: ${replace(var.reason, "/[^ -~]/", "?")}" # as CloudFormation gives it back
    Resources = {
      # Another name for another function: the statement went with the old one, which CloudFormation never learns.
      (var.package_type == "Image" ? "PermissionOfImage" : "Permission") = {
        Type = "AWS::Lambda::Permission"
        Properties = {
          Action                = "lambda:InvokeFunction"
          FunctionName          = "${var.function_name}:${var.alias}"
          Principal             = "*"
          InvokedViaFunctionUrl = true
        }
      }
    }
  })
}
