resource "aws_lambda_function" "this" {
  function_name                  = var.name
  description                    = var.description
  role                           = var.role_arn
  package_type                   = var.zip == null ? "Image" : "Zip"
  s3_bucket                      = one(var.zip[*].bucket)
  s3_key                         = one(var.zip[*].key)
  source_code_hash               = one(var.zip[*].digest_base64)
  runtime                        = one(var.zip[*].runtime)
  handler                        = one(var.zip[*].handler)
  layers                         = one(var.zip[*].layers)
  image_uri                      = var.image_uri
  architectures                  = [var.architecture]
  memory_size                    = var.limits.memory_mb
  timeout                        = var.limits.timeout_s
  reserved_concurrent_executions = coalesce(var.limits.reserved_concurrency, -1)
  publish                        = true

  ephemeral_storage {
    size = var.limits.ephemeral_storage_mb
  }

  dynamic "environment" {
    for_each = length(var.environment) > 0 ? [var.environment] : []
    content {
      variables = environment.value
    }
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.logging.application_level
    system_log_level      = var.logging.system_level
    log_group             = aws_cloudwatch_log_group.this.name # so the group exists before the first line is written
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.logging.retention_days
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "What callers reach; the roll-out moves it"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version

  # Terraform publishes versions, the roll-out chooses which of them is live: a rollback must outlast the next plan.
  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}
