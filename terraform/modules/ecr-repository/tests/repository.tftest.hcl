mock_provider "aws" {}

variables {
  name         = "slipway-dev/orders"
  function_arn = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders"
}

run "images_are_immutable_scanned_and_encrypted" {
  command = plan
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && one(aws_ecr_repository.this.image_scanning_configuration).scan_on_push
    error_message = "A tag must never move, and every push must be scanned."
  }
  assert {
    condition     = one(aws_ecr_repository.this.encryption_configuration).encryption_type == "AES256"
    error_message = "Images must be encrypted."
  }
}

run "only_images_without_a_tag_expire" {
  command = plan
  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.untagged.policy).rules[*].selection.tagStatus == ["untagged"]
    error_message = "A rule over tagged images can delete one that is deployed."
  }
}

run "a_key_of_ones_own_encrypts_with_kms" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }
  assert {
    condition     = one(aws_ecr_repository.this.encryption_configuration).encryption_type == "KMS"
    error_message = "A key must be used."
  }
}

run "lambda_pulls_for_its_function_and_nobody_else_does" {
  command = plan
  assert {
    condition = jsondecode(aws_ecr_repository_policy.this.policy).Statement == [{
      Sid       = "PulledByItsFunction"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Condition = { ArnLike = { "aws:SourceArn" = [
        "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders",
        "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:*",
      ] } }
    }]
    error_message = "Other functions and accounts must not be able to pull, got ${aws_ecr_repository_policy.this.policy}."
  }
}

run "a_repository_with_images_is_not_destroyed" {
  command = plan
  assert {
    condition     = aws_ecr_repository.this.force_delete == false
    error_message = "Destroying must not delete images."
  }
}

run "names_functions_and_days_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.function_arn, var.name, var.untagged_days]
  variables {
    function_arn  = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
    name          = "Orders"
    untagged_days = 0
  }
}
