output "url" {
  description = "The function's own URL, with a slash at the end."
  value       = aws_lambda_function_url.this.function_url
}
