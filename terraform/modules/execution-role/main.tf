locals {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for statement in var.statements : {
      for key, value in { Effect = "Allow", Action = statement.actions, Resource = statement.resources, Condition = statement.condition } : key => value if value != null
    }]
  })
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = "What the function ${var.name} may do"
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "execution"
  role   = aws_iam_role.this.id
  policy = local.policy

  lifecycle {
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    precondition {
      condition     = length(local.policy) <= 10240
      error_message = "The policy of ${var.name} may have 10,240 characters, got ${length(local.policy)} in ${length(var.statements)} statements."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = var.managed_policies

  role       = aws_iam_role.this.name
  policy_arn = each.value
}
