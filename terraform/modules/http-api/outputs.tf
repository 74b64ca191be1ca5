output "domain" {
  description = "What the DNS record of the domain must be an alias of (target and its zone_id), and the URL it then has; null without a domain."
  value = one([for d in aws_apigatewayv2_domain_name.this : {
    target  = d.domain_name_configuration[0].target_domain_name
    zone_id = d.domain_name_configuration[0].hosted_zone_id
    url     = join("/", compact(["https://${d.domain_name}", var.domain.path]))
  }])
}

output "url" {
  description = "Where the routes are served."
  value       = aws_apigatewayv2_api.this.api_endpoint
  depends_on  = [aws_apigatewayv2_stage.default, aws_apigatewayv2_route.this, aws_lambda_permission.this, aws_lambda_permission.authorizer]
}
