output "arn" {
  description = "ARN of the topic, known once the function is subscribed."
  value       = local.arn
  depends_on  = [aws_sns_topic_subscription.this]
}
