mock_provider "aws" {}

variables {
  name = "slipway-dev/orders"
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

run "names_and_days_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.untagged_days]
  variables {
    name          = "Orders"
    untagged_days = 0
  }
}
