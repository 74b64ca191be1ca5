mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=" }
  }
}

variables {
  schema_version  = 1
  name            = "slipway"
  env             = "dev"
  region          = "us-east-1"
  account_id      = "123456789012"
  artifact_bucket = "slipway-dev-artifacts-123456789012-us-east-1"
  layers          = {}
  functions = {
    greeting = {
      description  = "Says hello"
      runtime      = "python3.13"
      architecture = "x86_64"
      handler      = "app.handler"
      package_type = "Zip"
      artifact = {
        key           = "functions/greeting/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.zip"
        digest_hex    = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        digest_base64 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
        size_bytes    = 3
      }
      image_uri            = null
      layers               = []
      memory_mb            = 128
      timeout_s            = 3
      ephemeral_storage_mb = 512
      environment          = {}
      log_retention_days   = 30
      reserved_concurrency = null
      permissions          = []
      http_routes          = []
      queues               = {}
    }
  }
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
    var.schema_version, var.account_id, var.artifact_bucket, var.env, var.name, var.region
  ]
  variables {
    schema_version  = 2
    account_id      = "12345"
    artifact_bucket = "A"
    env             = "Dev"
    name            = "9lives"
    region          = "frankfurt"
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
      greeting = merge(var.functions.greeting, { http_routes = ["GET /"] })
      welcome  = merge(var.functions.greeting, { http_routes = ["GET /"] })
    }
  }
}
