output "arn" {
  description = "ARN of the role, known only once all its policies are there: what runs as the role must not start before."
  value       = aws_iam_role.this.arn
  depends_on  = [aws_iam_role_policy.this, aws_iam_role_policy_attachment.this]
}
