output "arn" {
  description = "ARN of the layer version, to put on a function."
  value       = aws_lambda_layer_version.this.arn
}
