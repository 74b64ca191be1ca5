mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/slipway-dev-orders" }
  }
}

variables {
  name          = "slipway-dev-orders"
  account_id    = "123456789012"
  log_group_arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/slipway-dev-orders"
}

run "a_role_may_write_to_its_own_log_group_and_nothing_else" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/slipway-dev-orders:*"]
    }]
    error_message = "A function without queues and permissions may only log, got ${aws_iam_role_policy.this.policy}."
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

run "queues_and_permissions_are_granted_as_given" {
  command = plan
  variables {
    queue_arns  = ["arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming"]
    permissions = [{ actions = ["dynamodb:PutItem"], resources = ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"] }]
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == ["arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming"]
    error_message = "The role must be able to read its queue, and only that."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement[2] == {
      Effect   = "Allow"
      Action   = ["dynamodb:PutItem"]
      Resource = ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"]
    }
    error_message = "A permission must become one statement, unchanged."
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

run "a_wildcard_with_a_reason_is_granted" {
  command = plan
  variables {
    permissions = [{ actions = ["iam:GetUser"], resources = ["*"], reason = "the event names the user" }]
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[1].Resource == ["*"]
    error_message = "A reasoned wildcard must be granted."
  }
}

run "a_wildcard_without_a_reason_is_refused" {
  command         = plan
  expect_failures = [var.permissions]
  variables {
    permissions = [{ actions = ["s3:*"], resources = ["arn:aws:s3:::orders/*"] }]
  }
}

run "a_permission_for_nothing_is_refused" {
  command         = plan
  expect_failures = [var.permissions]
  variables {
    permissions = [{ actions = ["s3:GetObject"], resources = [] }]
  }
}

run "names_accounts_and_boundaries_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name, var.account_id, var.permissions_boundary]
  variables {
    account_id           = "12345"
    name                 = join("", [for _ in range(65) : "x"])
    permissions_boundary = "functions"
  }
}
