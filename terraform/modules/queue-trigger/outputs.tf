output "dead_letter_url" {
  description = "URL of the dead-letter queue; null for a queue that was there already."
  value       = one(aws_sqs_queue.dead_letter[*].url)
}

output "url" {
  description = "URL of the queue; null for one that was there already."
  value       = one(aws_sqs_queue.this[*].url)
  depends_on  = [aws_lambda_event_source_mapping.this]
}
