output "target_group_arn" {
  description = "ARN of the target group, for a rule that is made elsewhere."
  value       = aws_lb_target_group.this.arn
  depends_on  = [aws_lb_target_group_attachment.this]
}
