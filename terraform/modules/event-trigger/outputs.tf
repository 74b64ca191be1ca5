output "dead_letter_url" {
  description = "URL of the dead-letter queue; null where none is made."
  value       = one(aws_sqs_queue.dead_letter[*].url)
}

output "rule_arn" {
  description = "ARN of the rule, known once it has its target."
  value       = local.rule_arn
  depends_on  = [aws_cloudwatch_event_target.this]
}
