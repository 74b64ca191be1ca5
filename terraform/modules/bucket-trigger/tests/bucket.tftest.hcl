mock_provider "aws" {}

variables {
  name = "slipway-dev-orders-uploads-123456789012"
  functions = { slipway-dev-orders-uploads = {
    name   = "slipway-dev-orders"
    alias  = "live"
    arn    = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
    suffix = ".csv"
  } }
  place = { account_id = "123456789012" }
}

run "a_bucket_that_is_made_is_private_encrypted_versioned_and_never_emptied" {
  command = plan
  assert {
    condition = alltrue([for each in aws_s3_bucket_public_access_block.this :
      each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets
    ]) && length(aws_s3_bucket_public_access_block.this) == 1
    error_message = "The bucket could be made public."
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.this[0].rule[0].object_ownership == "BucketOwnerEnforced" && aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled"
    error_message = "The bucket must be its owner's alone and keep old versions."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects must be encrypted."
  }
  assert {
    condition     = aws_s3_bucket.this[0].bucket == "slipway-dev-orders-uploads-123456789012" && aws_s3_bucket.this[0].force_destroy != true
    error_message = "A bucket with objects in it must not be deleted."
  }
}

run "it_speaks_tls_only" {
  command = plan
  assert {
    condition = jsondecode(aws_s3_bucket_policy.this[0].policy).Statement == [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["arn:aws:s3:::slipway-dev-orders-uploads-123456789012", "arn:aws:s3:::slipway-dev-orders-uploads-123456789012/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
    error_message = "Plain HTTP must be denied."
  }
}

run "only_old_versions_and_broken_uploads_expire" {
  command = plan
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this[0].rule) == 1 && length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].expiration) == 0 && length(aws_s3_bucket_lifecycle_configuration.this[0].rule[0].transition) == 0
    error_message = "Current objects are the functions' business."
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.this[0].rule[0].noncurrent_version_expiration[0].noncurrent_days == 90 && aws_s3_bucket_lifecycle_configuration.this[0].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 7
    error_message = "Leftovers must expire."
  }
}

run "the_alias_is_told_of_new_objects_that_fit" {
  command = plan
  assert {
    condition     = one(aws_s3_bucket_notification.this.lambda_function).lambda_function_arn == "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live" && one(aws_s3_bucket_notification.this.lambda_function).filter_suffix == ".csv"
    error_message = "The alias must be told of tables only."
  }
  assert {
    condition     = one(aws_s3_bucket_notification.this.lambda_function).events == toset(["s3:ObjectCreated:*"]) && one(aws_s3_bucket_notification.this.lambda_function).id == "slipway-dev-orders-uploads"
    error_message = "New objects only, under a name that stays."
  }
}

run "only_this_bucket_of_this_account_may_call_and_only_the_alias" {
  command = plan
  assert {
    condition     = one(values(aws_lambda_permission.this)).principal == "s3.amazonaws.com" && one(values(aws_lambda_permission.this)).source_arn == "arn:aws:s3:::slipway-dev-orders-uploads-123456789012" && one(values(aws_lambda_permission.this)).source_account == "123456789012"
    error_message = "No other bucket may call, nor one of the same name that somebody else makes later."
  }
  assert {
    condition     = one(values(aws_lambda_permission.this)).function_name == "slipway-dev-orders" && one(values(aws_lambda_permission.this)).qualifier == "live" && one(values(aws_lambda_permission.this)).statement_id == "bucket-slipway-dev-orders-uploads"
    error_message = "The permission must be the alias's, under a name that stays."
  }
}

run "a_bucket_that_is_there_tells_several_functions_and_is_not_touched_otherwise" {
  command = plan
  variables {
    existing = { arn = "arn:aws:s3:::uploads" }
    functions = {
      images = { name = "images", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:images:live", suffix = ".png" }
      tables = { name = "tables", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:tables:live", suffix = ".csv" }
      trash  = { name = "tables", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:tables:live", events = ["s3:ObjectRemoved:*"] }
    }
  }
  assert {
    condition = sum([for each in [
      aws_s3_bucket.this, aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this, aws_s3_bucket_ownership_controls.this,
      aws_s3_bucket_public_access_block.this, aws_s3_bucket_policy.this, aws_s3_bucket_lifecycle_configuration.this,
    ] : length(each)]) == 0
    error_message = "Nothing but notifications may be set on a bucket that is there."
  }
  assert {
    condition     = aws_s3_bucket_notification.this.bucket == "uploads" && toset(aws_s3_bucket_notification.this.lambda_function[*].id) == toset(["images", "tables", "trash"])
    error_message = "One list must hold all functions."
  }
  assert {
    condition     = toset(keys(aws_lambda_permission.this)) == toset(["images", "tables", "trash"]) && alltrue([for each in aws_lambda_permission.this : each.source_arn == "arn:aws:s3:::uploads"])
    error_message = "Every function must be callable by the bucket."
  }
}

run "two_functions_for_the_same_event_are_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = {
      images = { name = "images", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:images:live", prefix = "in/" }
      tables = { name = "tables", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:tables:live", prefix = "in/tables/", events = ["s3:ObjectCreated:Put"] }
    }
  }
}

run "events_that_are_not_of_s3_are_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = { images = { name = "images", alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:images:live", events = ["created"] } }
  }
}

run "a_bucket_without_functions_is_refused" {
  command         = plan
  expect_failures = [var.functions]
  variables {
    functions = {}
  }
}

run "names_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.name]
  variables {
    name = "Uploads"
  }
}

run "what_is_no_bucket_is_refused" {
  command         = plan
  expect_failures = [var.existing]
  variables {
    existing = { arn = "arn:aws:s3:::uploads/in/" }
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_s3_bucket.this[0].tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
