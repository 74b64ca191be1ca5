mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/slipway-dev-orders" }
  }
}

variables {
  name       = "slipway-dev-orders"
  account_id = "123456789012"
  statements = [{
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/slipway-dev-orders:*"]
  }]
}

run "a_role_may_do_what_its_statements_say_and_nothing_else" {
  command = plan
  variables {
    statements = [
      { actions = ["sqs:ReceiveMessage"], resources = ["arn:aws:sqs:us-east-1:123456789012:orders"] },
      {
        actions   = ["elasticfilesystem:ClientMount"]
        resources = ["arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/*"]
        condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8" } }
      },
    ]
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      { Effect = "Allow", Action = ["sqs:ReceiveMessage"], Resource = ["arn:aws:sqs:us-east-1:123456789012:orders"] },
      {
        Effect    = "Allow"
        Action    = ["elasticfilesystem:ClientMount"]
        Resource  = ["arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/*"]
        Condition = { StringEquals = { "elasticfilesystem:AccessPointArn" = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0a1b2c3d4e5f6a7b8" } }
      },
    ]
    error_message = "Statements must become the policy, in their order, got ${aws_iam_role_policy.this.policy}."
  }
  assert {
    condition     = length(aws_iam_role_policy_attachment.this) == 0
    error_message = "No managed policy was asked for."
  }
}

run "only_lambda_may_take_the_role_and_only_for_this_account" {
  command = plan
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Service = "lambda.amazonaws.com" }
    error_message = "Nobody but Lambda may assume the role."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" } }
    error_message = "Functions of other accounts must not be able to run as the role."
  }
}

run "managed_policies_are_attached_by_arn" {
  command = plan
  variables {
    managed_policies = { "{custom.shared_policy}" = "arn:aws:iam::123456789012:policy/shared" }
  }
  assert {
    condition     = { for key, each in aws_iam_role_policy_attachment.this : key => each.policy_arn } == { "{custom.shared_policy}" = "arn:aws:iam::123456789012:policy/shared" }
    error_message = "A managed policy must be attached."
  }
}

run "a_boundary_is_put_on_the_role" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::123456789012:policy/functions"
  }
  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/functions"
    error_message = "The boundary must bound the role."
  }
}

run "a_policy_that_iam_would_refuse_for_its_length_is_refused_before" {
  command         = plan
  expect_failures = [aws_iam_role_policy.this]
  variables {
    statements = [for n in range(80) : { actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/a-rather-long-name-of-a-table-${n}"] }]
  }
}

run "a_statement_about_nothing_is_refused" {
  command         = plan
  expect_failures = [var.statements]
  variables {
    statements = [{ actions = ["s3:GetObject"], resources = [] }]
  }
}

run "a_role_without_statements_is_refused" {
  command         = plan
  expect_failures = [var.statements]
  variables {
    statements = []
  }
}

run "names_accounts_boundaries_and_numbers_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.account_id, var.managed_policies, var.permissions_boundary]
  variables {
    account_id           = "12345"
    name                 = join("", [for _ in range(65) : "x"])
    managed_policies     = { for n in range(26) : n => "arn:aws:iam::123456789012:policy/${n}" }
    permissions_boundary = "functions"
  }
}
