mock_provider "aws" {}

variables {
  name          = "slipway-dev-data"
  runtimes      = ["python3.13"]
  architectures = ["x86_64", "arm64"]
  zip = {
    bucket        = "artifacts"
    key           = "layers/data/2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae.zip"
    digest_base64 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="
  }
}

run "a_layer_holds_the_bytes_at_its_key" {
  command = plan
  assert {
    condition     = aws_lambda_layer_version.this.s3_key == var.zip.key && aws_lambda_layer_version.this.source_code_hash == var.zip.digest_base64
    error_message = "The layer version must hold the published zip."
  }
}

run "older_versions_stay_for_the_functions_that_use_them" {
  command = plan
  assert {
    condition     = aws_lambda_layer_version.this.skip_destroy
    error_message = "Destroying a layer version breaks rollbacks."
  }
}

run "empty_and_unknown_targets_are_refused" {
  command         = plan
  expect_failures = [var.architectures, var.runtimes]
  variables {
    architectures = []
    runtimes      = ["python3.13", "ruby3.3"]
  }
}

run "names_and_descriptions_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.description]
  variables {
    name        = "data layer"
    description = join("", [for _ in range(257) : "x"])
  }
}
