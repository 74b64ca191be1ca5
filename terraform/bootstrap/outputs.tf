output "permissions_boundary" {
  description = "ARN for permissions_boundary in ../envs/<env>.tfvars; the deploy role makes no role without it."
  value       = aws_iam_policy.boundary.arn
}

output "roles" {
  description = "ARN of the role, for AWS_ROLE_ARN, by GitHub environment; empty without a repository."
  value       = { for role, environment in local.roles : environment => aws_iam_role.github[role].arn }
}
