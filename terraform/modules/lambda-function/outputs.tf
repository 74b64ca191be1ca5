output "alias" {
  description = "The alias live: its name, its ARN and the ARN that API Gateway calls."
  value = {
    name       = aws_lambda_alias.live.name
    arn        = aws_lambda_alias.live.arn
    invoke_arn = aws_lambda_alias.live.invoke_arn
  }
}

output "arn" {
  description = "ARN of the function, without a version."
  value       = aws_lambda_function.this.arn
}

output "failure_queue" {
  description = "The queue of events that were given up: its name, ARN and URL; null if none was made here."
  value       = one([for queue in aws_sqs_queue.failures : { name = queue.name, arn = queue.arn, url = queue.url }])
}

output "function_name" {
  description = "The function's name on AWS."
  value       = aws_lambda_function.this.function_name
}

output "log_group" {
  description = "Name of the function's log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "role_arn" {
  description = "ARN of the role the function runs as."
  value       = aws_lambda_function.this.role
}

output "version" {
  description = "The newest published version; not always the live one."
  value       = aws_lambda_function.this.version
}
