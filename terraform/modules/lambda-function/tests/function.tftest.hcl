mock_provider "aws" {
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders", version = "7" }
  }
}

variables {
  name         = "slipway-dev-orders"
  role_arn     = "arn:aws:iam::123456789012:role/slipway-dev-orders"
  architecture = "arm64"
  zip = {
    bucket        = "artifacts"
    key           = "functions/orders/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.zip"
    digest_base64 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
    runtime       = "python3.13"
    handler       = "app.handler"
  }
}

run "a_first_version_is_published_from_its_key_and_live_at_once" {
  assert {
    condition     = aws_lambda_function.this.package_type == "Zip" && aws_lambda_function.this.s3_key == var.zip.key
    error_message = "The function must run the zip at its content-addressed key."
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == var.zip.digest_base64 && aws_lambda_function.this.publish
    error_message = "A new digest must publish a new version."
  }
  assert {
    condition     = output.version == "7" && output.arn == "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders"
    error_message = "The outputs must name the function and the version it published."
  }
  assert {
    condition     = aws_lambda_alias.live.name == "live" && aws_lambda_alias.live.function_version == "7"
    error_message = "live must start at the first published version."
  }
}

# State carries over from the run before: the alias is at 7 and a newer version is not taken.
run "a_newer_version_waits_for_the_roll_out" {
  variables {
    zip = {
      bucket        = "artifacts"
      key           = "functions/orders/fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9.zip"
      digest_base64 = "/N4rLtula/QIYB+3If6bXDONEO5CnqBPrlURto+/j7k="
      runtime       = "python3.13"
      handler       = "app.handler"
    }
  }
  override_resource {
    target = aws_lambda_function.this
    values = { version = "8" }
  }
  assert {
    condition     = aws_lambda_alias.live.function_version == "7"
    error_message = "Terraform moved live; only the roll-out may."
  }
}

run "json_lines_are_kept_as_long_as_asked_and_no_concurrency_is_reserved" {
  command = plan
  variables {
    logging = { retention_days = 7, application_level = "DEBUG" }
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/slipway-dev-orders" && aws_cloudwatch_log_group.this.retention_in_days == 7
    error_message = "The log group must be Lambda's own and keep lines for 7 days."
  }
  assert {
    condition     = one(aws_lambda_function.this.logging_config).log_format == "JSON" && one(aws_lambda_function.this.logging_config).application_log_level == "DEBUG"
    error_message = "Log lines must be JSON, from DEBUG on."
  }
  assert {
    condition     = one(aws_lambda_function.this.logging_config).system_log_level == "INFO"
    error_message = "Lambda's REPORT of every invocation is on level INFO."
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "Nothing asked for reserves nothing, which is -1; 0 would stop the function."
  }
}

run "an_image_has_neither_runtime_nor_handler" {
  command = plan
  variables {
    zip       = null
    image_uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
  assert {
    condition     = aws_lambda_function.this.package_type == "Image" && aws_lambda_function.this.runtime == null && aws_lambda_function.this.handler == null
    error_message = "An image brings its own runtime and handler."
  }
}

run "zip_and_image_together_are_refused" {
  command         = plan
  expect_failures = [var.zip]
  variables {
    image_uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
  }
}

run "an_image_by_tag_is_refused" {
  command         = plan
  expect_failures = [var.image_uri]
  variables {
    zip       = null
    image_uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders:latest"
  }
}

run "a_runtime_that_is_not_python_and_a_sixth_layer_are_refused" {
  command         = plan
  expect_failures = [var.zip]
  variables {
    zip = {
      bucket        = "artifacts"
      key           = "a.zip"
      digest_base64 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
      runtime       = "nodejs22.x"
      handler       = "app.handler"
      layers        = ["arn:1", "arn:2", "arn:3", "arn:4", "arn:5", "arn:6"]
    }
  }
}

run "limits_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.limits]
  variables {
    limits = { memory_mb = 64, timeout_s = 901, ephemeral_storage_mb = 100, reserved_concurrency = -1 }
  }
}

run "unknown_retention_and_levels_are_refused" {
  command         = plan
  expect_failures = [var.logging]
  variables {
    logging = { retention_days = 31, application_level = "LOUD", system_level = "TRACE" }
  }
}

run "names_architectures_descriptions_and_variables_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.architecture, var.description, var.environment]
  variables {
    name         = "orders.api"
    architecture = "arm"
    description  = join("", [for _ in range(257) : "x"])
    environment  = { "9LIVES" = "cat" }
  }
}
