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

run "a_function_without_triggers_needs_neither_api_nor_queue" {
  command = plan
  assert {
    condition     = keys(output.functions) == ["greeting"] && output.functions["greeting"].queue_urls == {} && output.http_api_url == null
    error_message = "Only the function was asked for, got ${jsonencode(output.functions)}."
  }
  assert {
    condition     = output.functions["greeting"].function_name == "slipway-dev-greeting" && output.functions["greeting"].log_group == "/aws/lambda/slipway-dev-greeting"
    error_message = "Names must start with name and env."
  }
}

run "nothing_to_deploy_plans_nothing" {
  command = plan
  variables {
    functions = {}
  }
  assert {
    condition     = output.functions == {} && output.layers == {} && output.http_api_url == null
    error_message = "An empty repository must be an empty env."
  }
}

run "bytes_that_were_not_built_are_refused" {
  command         = plan
  expect_failures = [data.aws_s3_object.artifact]
  override_data {
    target = data.aws_s3_object.artifact
    values = { checksum_sha256 = "/N4rLtula/QIYB+3If6bXDONEO5CnqBPrlURto+/j7k=" }
  }
}

run "an_object_without_a_sha256_is_refused" {
  command         = plan
  expect_failures = [data.aws_s3_object.artifact]
  override_data {
    target = data.aws_s3_object.artifact
    values = { checksum_sha256 = "" }
  }
}

run "a_hand_off_of_another_version_and_malformed_values_are_refused" {
  command = plan
  expect_failures = [
    var.schema_version, var.account_id, var.artifact_bucket, var.env, var.name, var.region, var.stack
  ]
  variables {
    schema_version  = 1
    account_id      = "12345"
    artifact_bucket = "A"
    env             = "Dev"
    name            = "9lives"
    region          = "frankfurt"
    stack           = "default"
    functions       = {}
  }
}

run "regions_of_every_partition_are_taken" {
  command = plan
  variables {
    region = "eusc-de-east-1"
  }
  assert {
    condition     = keys(output.functions) == ["greeting"]
    error_message = "The European sovereign cloud is a region, too."
  }
}

run "a_malformed_layer_is_refused" {
  command         = plan
  expect_failures = [var.layers]
  variables {
    functions = {}
    layers = { data = {
      description   = ""
      runtimes      = ["python3.13"]
      architectures = ["x86_64"]
      artifact      = { key = "layers/data/latest.zip", digest_hex = "2c26", digest_base64 = "LCa0", size_bytes = 3 }
    } }
  }
}

run "a_zip_without_an_artifact_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(var.functions.greeting, { artifact = null }) }
  }
}

run "an_artifact_that_is_not_under_its_digest_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(var.functions.greeting, {
      artifact = merge(var.functions.greeting.artifact, { key = "functions/greeting/latest.zip" })
    }) }
  }
}

run "a_layer_the_hand_off_does_not_have_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(var.functions.greeting, { layers = ["data"] }) }
  }
}

run "a_route_of_two_functions_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = {
      for name in ["greeting", "welcome"] : name => merge(var.functions.greeting, {
        triggers = merge(var.functions.greeting.triggers, { http = { "GET /" = { authorizer = null, scopes = [], throttle = null } } })
      })
    }
  }
}

run "a_role_may_do_what_its_function_needs_and_no_more" {
  command = plan
  variables {
    functions = { greeting = merge(var.functions.greeting, {
      asynchronous    = { retries = 0, max_age_s = 60, on_failure = "queue", on_success = "arn:aws:events:us-east-1:123456789012:event-bus/default" }
      dead_letter_arn = "arn:aws:sns:us-east-1:123456789012:dead"
      kms_key_arn     = "arn:aws:kms:us-east-1:123456789012:key/of-the-variables"
      network         = { subnet_ids = ["subnet-0a1b2c3d"], security_group_ids = ["sg-0a1b2c3d"], ipv6 = false }
      file_system     = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8", mount = "/mnt/data" }
      tracing         = true
      permissions     = [{ actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"], reason = null }]
      secrets = {
        KEY   = { arn = "arn:aws:ssm:us-east-1:123456789012:parameter/key", kms_key_arn = null }
        TOKEN = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-AbCdEf", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/of-the-secret" }
      }
      triggers = merge(var.functions.greeting.triggers, {
        queue = { for name, arn in { incoming = null, returns = "arn:aws:sqs:us-east-1:123456789012:returns" } : name => {
          arn = arn, fifo = arn == null, batch_size = 10, batch_window_s = 0, max_receive_count = 5, max_concurrency = null, filters = [], enabled = true
        } }
        stream = { for name, s in { clicks = ["kinesis", null], stock = ["dynamodb", "arn:aws:s3:::given-up"] } : name => {
          source     = s[0], arn = null, partition_key = s[0] == "dynamodb" ? "id" : null, sort_key = null, start = "latest", batch_size = 100, batch_window_s = 0,
          bisect     = true, retries = 10, max_age_s = null, parallel = 1, filters = [], enabled = true
          on_failure = s[1]
        } }
      })
    }) }
  }
  assert {
    condition = jsonencode(local.statements["greeting"]) == jsonencode([
      { actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/slipway-dev-greeting:*"] },
      { actions = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], resources = [
        "arn:aws:sqs:us-east-1:123456789012:slipway-dev-greeting-incoming.fifo",
        "arn:aws:sqs:us-east-1:123456789012:returns",
      ] },
      { actions = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"], resources = ["arn:aws:kinesis:us-east-1:123456789012:stream/slipway-dev-greeting-clicks"] },
      { actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/slipway-dev-greeting-stock/stream/*"] },
      { actions = ["sqs:SendMessage"], resources = [
        "arn:aws:sqs:us-east-1:123456789012:slipway-dev-greeting-failures",
        "arn:aws:sqs:us-east-1:123456789012:slipway-dev-greeting-clicks-dead-letter",
      ] },
      { actions = ["sns:Publish"], resources = ["arn:aws:sns:us-east-1:123456789012:dead"] },
      { actions = ["events:PutEvents"], resources = ["arn:aws:events:us-east-1:123456789012:event-bus/default"] },
      { actions = ["s3:ListBucket", "s3:PutObject"], resources = ["arn:aws:s3:::given-up", "arn:aws:s3:::given-up/*"] },
      { actions = ["ssm:GetParameter"], resources = ["arn:aws:ssm:us-east-1:123456789012:parameter/key"] },
      { actions = ["secretsmanager:GetSecretValue"], resources = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:token-AbCdEf"] },
      { actions = ["kms:Decrypt"], resources = ["arn:aws:kms:us-east-1:123456789012:key/of-the-secret", "arn:aws:kms:us-east-1:123456789012:key/of-the-variables"] },
      {
        actions   = ["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses"]
        resources = ["arn:aws:ec2:us-east-1:123456789012:*/*"]
        condition = { ArnNotEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-greeting" } }
      },
      {
        actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
        resources = ["*"]
        condition = { ArnNotEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-greeting" } }
      },
      {
        actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
        resources = ["arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/*"]
        condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8" } }
      },
      { actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources = ["*"] },
      { actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"] },
    ])
    error_message = "Got ${jsonencode(local.statements["greeting"])}."
  }
}

run "without_triggers_and_settings_a_role_may_only_log" {
  command = plan
  assert {
    condition     = local.statements["greeting"][*].actions == [["logs:CreateLogStream", "logs:PutLogEvents"]]
    error_message = "Got ${jsonencode(local.statements["greeting"])}."
  }
  assert {
    condition     = local.asynchronous == {}
    error_message = "What Lambda does by itself needs no resource."
  }
}

run "an_image_has_a_repository_of_its_own" {
  command = plan
  override_resource {
    target = module.ecr_repository["greeting"].aws_ecr_repository.this
    values = { repository_url = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/greeting" }
  }
  variables {
    functions = { greeting = merge(var.functions.greeting, {
      package_type = "Image"
      artifact     = null
      image_uri    = "123456789012.dkr.ecr.us-east-1.amazonaws.com/slipway-dev/greeting@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    }) }
  }
  assert {
    condition     = keys(module.ecr_repository) == ["greeting"] && length(data.aws_s3_object.artifact) == 0
    error_message = "An image comes from a repository, not from the bucket."
  }
}

run "a_wildcard_without_a_reason_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(var.functions.greeting, {
      permissions = [{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::*"], reason = null }]
    }) }
  }
}

run "a_file_system_outside_a_vpc_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { greeting = merge(var.functions.greeting, {
      file_system = { arn = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8", mount = "/mnt/data" }
    }) }
  }
}
