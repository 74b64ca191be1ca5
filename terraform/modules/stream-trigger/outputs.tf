output "arn" {
  description = "ARN of the stream; of a table, its stream's."
  value       = local.arn
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue; null where none is made."
  value       = one(aws_sqs_queue.dead_letter[*].url)
}

output "name" {
  description = "Name of the Kinesis stream or DynamoDB table."
  value       = var.existing == null ? one(concat(aws_kinesis_stream.this[*].name, aws_dynamodb_table.this[*].name)) : split("/", var.existing.arn)[1]
  depends_on  = [aws_lambda_event_source_mapping.this]
}
