output "dead_letter_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letter.url
}

output "url" {
  description = "URL of the queue."
  value       = aws_sqs_queue.this.url
  depends_on  = [aws_lambda_event_source_mapping.this]
}
