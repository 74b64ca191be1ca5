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

run "without_settings_a_function_has_none_of_them" {
  command = plan
  assert {
    condition     = length(aws_lambda_function.this.vpc_config) + length(aws_lambda_function.this.file_system_config) + length(aws_lambda_function.this.dead_letter_config) + length(aws_lambda_function.this.snap_start) + length(aws_lambda_function.this.environment) == 0
    error_message = "Nobody asked for a VPC, a file system, a dead-letter queue, snapshots or variables."
  }
  assert {
    condition     = length(aws_lambda_function_event_invoke_config.live) == 0 && length(aws_sqs_queue.failures) == 0 && output.failure_queue == null
    error_message = "What Lambda does by itself needs no resource."
  }
  assert {
    condition     = one(aws_lambda_function.this.tracing_config).mode == "PassThrough"
    error_message = "Tracing that is off must be switched off."
  }
}

run "a_function_in_a_vpc_mounts_its_file_system" {
  command = plan
  variables {
    network = {
      subnet_ids         = ["subnet-0a1b2c3d", "subnet-4e5f6a7b"]
      security_group_ids = ["sg-0a1b2c3d"]
      ipv6               = true
      file_system        = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8", mount = "/mnt/data" }
    }
  }
  assert {
    condition     = one(aws_lambda_function.this.vpc_config).subnet_ids == toset(["subnet-0a1b2c3d", "subnet-4e5f6a7b"]) && one(aws_lambda_function.this.vpc_config).security_group_ids == toset(["sg-0a1b2c3d"]) && one(aws_lambda_function.this.vpc_config).ipv6_allowed_for_dual_stack
    error_message = "The function must work in its subnets, behind its security groups, with IPv6."
  }
  assert {
    condition     = one(aws_lambda_function.this.file_system_config).local_mount_path == "/mnt/data"
    error_message = "The access point must be mounted at /mnt/data."
  }
}

run "events_that_are_given_up_go_to_a_queue_that_is_made" {
  variables {
    asynchronous = { retries = 0, max_age_s = 3600, failure_queue = true }
  }
  override_resource {
    target = aws_sqs_queue.failures
    values = { arn = "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-failures", url = "https://example.invalid/slipway-dev-orders-failures" }
  }
  assert {
    condition     = aws_sqs_queue.failures[0].name == "slipway-dev-orders-failures" && aws_sqs_queue.failures[0].sqs_managed_sse_enabled && aws_sqs_queue.failures[0].message_retention_seconds == 1209600
    error_message = "The queue of failures must be encrypted and keep messages for 14 days."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.live[0].qualifier == "live" && aws_lambda_function_event_invoke_config.live[0].maximum_retry_attempts == 0 && aws_lambda_function_event_invoke_config.live[0].maximum_event_age_in_seconds == 3600
    error_message = "Retries and age hold for what callers reach."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.live[0].destination_config[0].on_failure[0].destination == output.failure_queue.arn && length(aws_lambda_function_event_invoke_config.live[0].destination_config[0].on_success) == 0
    error_message = "What is given up must go to the queue, and answers nowhere."
  }
}

run "events_go_to_destinations_that_are_there" {
  command = plan
  variables {
    asynchronous = {
      on_failure      = "arn:aws:sns:us-east-1:123456789012:failures"
      on_success      = "arn:aws:events:us-east-1:123456789012:event-bus/default"
      dead_letter_arn = "arn:aws:sqs:us-east-1:123456789012:dead"
    }
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.live[0].destination_config[0].on_failure[0].destination == "arn:aws:sns:us-east-1:123456789012:failures" && aws_lambda_function_event_invoke_config.live[0].destination_config[0].on_success[0].destination == "arn:aws:events:us-east-1:123456789012:event-bus/default"
    error_message = "Both destinations must be told."
  }
  assert {
    condition     = one(aws_lambda_function.this.dead_letter_config).target_arn == "arn:aws:sqs:us-east-1:123456789012:dead" && length(aws_sqs_queue.failures) == 0
    error_message = "The dead-letter queue that is there must be used, and none made."
  }
}

run "events_are_retried_as_told_without_any_destination" {
  command = plan
  variables {
    asynchronous = { retries = 1 }
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.live[0].maximum_retry_attempts == 1 && length(aws_lambda_function_event_invoke_config.live[0].destination_config) == 0
    error_message = "One retry, and nobody is told."
  }
}

run "code_is_signed_snapshotted_traced_encrypted_and_tagged_as_told" {
  command = plan
  variables {
    zip = {
      bucket                  = "artifacts"
      key                     = "functions/orders/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.zip"
      digest_base64           = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
      runtime                 = "python3.13"
      handler                 = "app.handler"
      code_signing_config_arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0a1b2c3d4e5f6a7b8"
      snap_start              = true
    }
    logging     = { tracing = true }
    environment = { variables = { TABLE = "orders" }, kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
    tags        = { team = "shop" }
  }
  assert {
    condition     = aws_lambda_function.this.code_signing_config_arn == var.zip.code_signing_config_arn && one(aws_lambda_function.this.snap_start).apply_on == "PublishedVersions"
    error_message = "Code must be signed, and versions snapshotted."
  }
  assert {
    condition     = one(aws_lambda_function.this.tracing_config).mode == "Active" && aws_lambda_function.this.kms_key_arn == var.environment.kms_key_arn && one(aws_lambda_function.this.environment).variables == tomap({ TABLE = "orders" })
    error_message = "Invocations must be traced, and variables encrypted with the key."
  }
  assert {
    condition     = aws_lambda_function.this.tags == tomap({ team = "shop" }) && aws_cloudwatch_log_group.this.tags == tomap({ team = "shop" })
    error_message = "The function and its log group must have its tags."
  }
}

run "an_image_has_neither_runtime_nor_handler" {
  command = plan
  variables {
    zip   = null
    image = { uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" }
  }
  assert {
    condition     = aws_lambda_function.this.package_type == "Image" && aws_lambda_function.this.runtime == null && aws_lambda_function.this.handler == null
    error_message = "An image brings its own runtime and handler."
  }
}

run "what_an_image_starts_can_be_replaced" {
  command = plan
  variables {
    zip = null
    image = {
      uri     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
      command = ["other.handler"]
    }
  }
  assert {
    condition     = one(aws_lambda_function.this.image_config).command == tolist(["other.handler"])
    error_message = "Lambda must start what it is told to."
  }
}

run "zip_and_image_together_are_refused" {
  command         = plan
  expect_failures = [var.zip]
  variables {
    image = { uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" }
  }
}

run "an_image_by_tag_is_refused" {
  command         = plan
  expect_failures = [var.image]
  variables {
    zip   = null
    image = { uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/orders:latest" }
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
    environment  = { variables = { "9LIVES" = "cat" } }
  }
}

run "retries_and_ages_that_lambda_does_not_know_are_refused" {
  command         = plan
  expect_failures = [var.asynchronous]
  variables {
    asynchronous = { retries = 3, max_age_s = 59 }
  }
}

run "two_places_for_failures_are_refused" {
  command         = plan
  expect_failures = [var.asynchronous]
  variables {
    asynchronous = { failure_queue = true, on_failure = "arn:aws:sns:us-east-1:123456789012:failures" }
  }
}

run "a_vpc_without_subnets_and_a_mount_outside_mnt_are_refused" {
  command         = plan
  expect_failures = [var.network]
  variables {
    network = {
      subnet_ids         = []
      security_group_ids = ["sg-0a1b2c3d"]
      file_system        = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8", mount = "/data" }
    }
  }
}

run "snapshots_beside_large_storage_are_refused" {
  command         = plan
  expect_failures = [var.zip]
  variables {
    limits = { ephemeral_storage_mb = 1024 }
    zip = {
      bucket        = "artifacts"
      key           = "a.zip"
      digest_base64 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
      runtime       = "python3.13"
      handler       = "app.handler"
      snap_start    = true
    }
  }
}
