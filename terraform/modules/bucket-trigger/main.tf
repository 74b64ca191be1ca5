locals {
  made = var.existing == null ? 1 : 0
  name = var.existing == null ? join("", aws_s3_bucket.this[*].bucket) : trimprefix(var.existing.arn, "arn:${var.place.partition}:s3:::")
  arn  = "arn:${var.place.partition}:s3:::${local.name}" # built from the name: a plan then shows who may call the functions
}

# One for the bucket, whatever the number of functions: S3 has a single list of notifications, and who writes it writes all of it.
resource "aws_s3_bucket_notification" "this" {
  bucket = local.name

  dynamic "lambda_function" {
    for_each = var.functions
    content {
      id                  = lambda_function.key
      lambda_function_arn = lambda_function.value.arn
      events              = lambda_function.value.events
      filter_prefix       = lambda_function.value.prefix
      filter_suffix       = lambda_function.value.suffix
    }
  }

  depends_on = [aws_lambda_permission.this] # S3 tries whether it may call
}

resource "aws_lambda_permission" "this" {
  for_each = var.functions

  statement_id   = "bucket-${each.key}"
  action         = "lambda:InvokeFunction"
  function_name  = each.value.name
  qualifier      = each.value.alias
  principal      = "s3.amazonaws.com"
  source_arn     = local.arn
  source_account = var.place.account_id # a bucket's ARN does not say whose it is
}
