output "url" {
  description = "Where the routes are served."
  value       = aws_apigatewayv2_api.this.api_endpoint
  depends_on  = [aws_apigatewayv2_stage.default, aws_apigatewayv2_route.this, aws_lambda_permission.this]
}
