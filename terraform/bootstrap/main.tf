data "aws_partition" "this" {}

locals {
  partition = data.aws_partition.this.partition
  prefix    = "${var.name}-${var.env}"
  buckets   = { artifacts = var.artifact_bucket, state = var.state.bucket }

  # Built from names, not read from resources: a plan then shows whole policies. The dot, which no function can have in its
  # name, keeps what is made here apart from <prefix>-*, which the deploy role may change.
  arns = {
    buckets  = { for key, bucket in local.buckets : key => "arn:${local.partition}:s3:::${bucket}" }
    boundary = "arn:${local.partition}:iam::${var.account_id}:policy/${local.prefix}.boundary"
    provider = "arn:${local.partition}:iam::${var.account_id}:oidc-provider/token.actions.githubusercontent.com"
  }
}

# `invoke bootstrap` makes both, bare: this root keeps its own state in one of them.
import {
  for_each = local.buckets

  to = aws_s3_bucket.this[each.key]
  id = each.value
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: who may see access logs, and where they go, is the account's decision
  # checkov:skip=CKV_AWS_144: what is lost with a region is built and planned again in another
  # checkov:skip=CKV_AWS_145: encrypted by S3; a key of one's own would have to be granted to everybody who reads
  # checkov:skip=CKV2_AWS_61: the artifact bucket has one, below; of a state every version is kept
  # checkov:skip=CKV2_AWS_62: nothing waits for their events
  for_each = local.buckets

  bucket = each.value

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.arns.buckets[each.key], "${local.arns.buckets[each.key]}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.this] # S3 refuses two changes of a bucket's access at once
}

# Never a current object: releases name artifacts by digest for as long as somebody may want to go back to them.
resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  bucket = aws_s3_bucket.this["artifacts"].bucket

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# What no function of the env may do, whatever its own policy says.
resource "aws_iam_policy" "boundary" {
  name        = "${local.prefix}.boundary"
  description = "Bounds every execution role of ${local.prefix}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WhatItsOwnPolicyGrants"
        Effect   = "Allow"
        Action   = "*"
        Resource = "*"
      },
      {
        Sid      = "NoIdentities"
        Effect   = "Deny"
        Action   = ["account:*", "iam:*", "organizations:*", "sso:*"]
        Resource = "*"
      },
      {
        Sid      = "NoRightsOfOthers" # what runs as a role that somebody else was given
        Effect   = "Deny"
        Action   = ["cloudformation:*", "codebuild:*", "ssm:SendCommand", "ssm:StartSession"]
        Resource = "*"
      },
      {
        Sid      = "NoRolesOfThisAccount"
        Effect   = "Deny"
        Action   = "sts:AssumeRole"
        Resource = "arn:${local.partition}:iam::${var.account_id}:role/*"
      },
      {
        Sid    = "NoFunctions"
        Effect = "Deny"
        Action = [
          "lambda:Add*", "lambda:Create*", "lambda:Delete*", "lambda:Publish*", "lambda:Put*", "lambda:Remove*",
          "lambda:UpdateCode*", "lambda:UpdateEvent*", "lambda:UpdateFunction*",
        ]
        Resource = "*"
      },
      {
        Sid       = "AliasesByCodeDeployAlone" # by roles that are passed to nobody else: roles.tf
        Effect    = "Deny"
        Action    = "lambda:UpdateAlias"
        Resource  = "*"
        Condition = { ArnNotLike = { "aws:PrincipalArn" = local.codedeploys_roles } }
      },
      {
        Sid         = "NoAliasesOfOthers"
        Effect      = "Deny"
        Action      = "lambda:UpdateAlias"
        NotResource = local.made.functions
      },
      {
        Sid      = "NeitherStateNorReleases"
        Effect   = "Deny"
        Action   = "s3:*"
        Resource = flatten([for arn in values(local.arns.buckets) : [arn, "${arn}/*"]])
      },
    ]
  })
}
