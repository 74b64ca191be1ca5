mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

# A mock imports nothing.
override_resource {
  target = aws_s3_bucket.this
}

variables {
  account_id      = "123456789012"
  artifact_bucket = "slipway-prod-artifacts-123456789012-eu-central-1"
  env             = "prod"
  github          = { repository = "acme/shop", create_provider = true }
  name            = "slipway"
  region          = "eu-central-1"
  state           = { bucket = "slipway-prod-terraform-state-123456789012", key = "slipway/prod.tfstate" }
}

run "both_buckets_are_versioned_encrypted_owned_and_never_public" {
  command = plan
  assert {
    condition = alltrue([for key in ["artifacts", "state"] :
      aws_s3_bucket_versioning.this[key].versioning_configuration[0].status == "Enabled" &&
      one(one(aws_s3_bucket_server_side_encryption_configuration.this[key].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256" &&
      aws_s3_bucket_ownership_controls.this[key].rule[0].object_ownership == "BucketOwnerEnforced"
    ])
    error_message = "A bucket is not versioned, encrypted and its owner's alone."
  }
  assert {
    condition = alltrue([for each in aws_s3_bucket_public_access_block.this :
      each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets
    ])
    error_message = "A bucket could be made public."
  }
}

run "both_buckets_speak_tls_only" {
  command = plan
  assert {
    condition = alltrue([for key, bucket in { artifacts = var.artifact_bucket, state = var.state.bucket } :
      jsondecode(aws_s3_bucket_policy.this[key].policy).Statement[0] == {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = ["arn:aws:s3:::${bucket}", "arn:aws:s3:::${bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }
    ])
    error_message = "Plain HTTP must be denied."
  }
}

run "no_current_artifact_ever_expires" {
  command = plan
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.artifacts.rule) == 1 && length(aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].expiration) == 0 && length(aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].transition) == 0
    error_message = "The ledger and roll-backs need every artifact by its digest."
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].noncurrent_version_expiration[0].noncurrent_days == 90 && aws_s3_bucket_lifecycle_configuration.artifacts.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 7
    error_message = "Leftovers must expire."
  }
}

run "each_role_is_for_one_environment_of_one_repository" {
  command = plan
  assert {
    condition = { for key, role in aws_iam_role.github : key => jsondecode(role.assume_role_policy).Statement } == {
      for key, environment in { deploy = "prod", plan = "prod-plan" } : key => [{
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
        Condition = { StringEquals = {
          "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
          "token.actions.githubusercontent.com:sub" = "repo:acme/shop:environment:${environment}"
        } }
      }]
    }
    error_message = "Only the environment's own jobs may take its role, got ${jsonencode([for role in aws_iam_role.github : role.assume_role_policy])}."
  }
}

run "without_a_repository_nobody_is_given_a_role" {
  command = plan
  variables {
    github = null
  }
  assert {
    condition     = length(aws_iam_role.github) == 0 && length(aws_iam_policy.github) == 0 && length(aws_iam_openid_connect_provider.github) == 0 && output.roles == {}
    error_message = "Roles are made for a repository only."
  }
  assert {
    condition     = aws_iam_policy.boundary.name == "slipway-prod.boundary"
    error_message = "The boundary needs no repository."
  }
}

run "a_provider_that_the_account_has_is_not_made_again" {
  command = plan
  variables {
    github = { repository = "acme/shop", create_provider = false }
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && length(aws_iam_role.github) == 2
    error_message = "An account can have only one provider for GitHub."
  }
}

run "rules_of_listeners_are_changed_only_where_they_are_its_own" {
  command = plan
  assert {
    condition = alltrue([for s in flatten([for key, policy in aws_iam_policy.github : jsondecode(policy.policy).Statement if startswith(key, "deploy-")]) :
      s.Condition.StringEquals == { "aws:ResourceTag/slipway" = "slipway", "aws:ResourceTag/env" = "prod" }
      if length(setintersection(s.Action, ["elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:SetRulePriorities"])) > 0
    ])
    error_message = "A listener has rules of others."
  }
  assert {
    condition = alltrue([for s in flatten([for key, policy in aws_iam_policy.github : jsondecode(policy.policy).Statement if startswith(key, "deploy-")]) :
      try(s.Condition.StringEquals["elasticloadbalancing:CreateAction"], s.Condition.StringEquals["aws:ResourceTag/slipway"], null) != null
      if contains(s.Action, "elasticloadbalancing:AddTags") && strcontains(jsonencode(s.Resource), "listener-rule")
    ])
    error_message = "Tagged as its own, any rule would be."
  }
}

run "malformed_values_are_refused" {
  command         = plan
  expect_failures = [var.account_id, var.env, var.github, var.name, var.region, var.state]
  variables {
    account_id = "12345"
    env        = "Prod"
    github     = { repository = "acme/*", create_provider = true }
    name       = "9lives"
    region     = "frankfurt"
    state      = { bucket = "slipway-prod-terraform-state-123456789012", key = "bootstrap/terraform.tfstate" }
  }
}

run "artifacts_are_not_kept_beside_the_state" {
  command         = plan
  expect_failures = [var.artifact_bucket]
  variables {
    artifact_bucket = "slipway-prod-terraform-state-123456789012"
  }
}

run "what_is_no_name_of_a_bucket_is_refused" {
  command         = plan
  expect_failures = [var.artifact_bucket]
  variables {
    artifact_bucket = "A"
  }
}
