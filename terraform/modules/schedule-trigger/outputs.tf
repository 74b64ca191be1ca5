output "arn" {
  description = "ARN of the schedule."
  value       = aws_scheduler_schedule.this.arn
}

output "dead_letter_url" {
  description = "URL of the dead-letter queue; null where none is made."
  value       = one(aws_sqs_queue.dead_letter[*].url)
}
