output "arn" {
  description = "ARN of the repository."
  value       = aws_ecr_repository.this.arn
}

output "url" {
  description = "Where images are pushed, without tag and digest."
  value       = aws_ecr_repository.this.repository_url
  depends_on  = [aws_ecr_repository_policy.this] # a function is made only once Lambda may pull its image
}
