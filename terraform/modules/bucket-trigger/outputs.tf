output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
}

output "name" {
  description = "Name of the bucket, known once it tells its functions of events."
  value       = local.name
  depends_on  = [aws_s3_bucket_notification.this]
}
