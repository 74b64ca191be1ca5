resource "aws_lambda_layer_version" "this" {
  layer_name               = var.name
  description              = var.description
  compatible_runtimes      = var.runtimes
  compatible_architectures = var.architectures
  s3_bucket                = var.zip.bucket
  s3_key                   = var.zip.key
  source_code_hash         = var.zip.digest_base64

  # Published versions of functions go on using the layer versions they were published with, and a rollback needs both.
  skip_destroy = true
}
