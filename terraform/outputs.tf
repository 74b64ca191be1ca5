output "alarms" {
  description = "Names of each function's alarms, by its folder's name; without those that have none."
  value       = { for name, alarms in module.function_alarms : name => alarms.names }
}

output "custom" {
  description = "What terraform/custom/ gives to functions, by name."
  value       = module.custom.for_functions

  precondition {
    condition     = length(local.not_given) == 0
    error_message = "terraform/custom/ does not give ${join(", ", local.not_given)}. Its output for_functions has: ${join(", ", keys(module.custom.for_functions))}."
  }
}

output "deployment_groups" {
  description = "What CodeDeploy has to be told to shift a function's callers, by its folder's name; without those that we shift."
  value       = try(module.codedeploy_application[0].groups, {})
}

output "functions" {
  description = "By folder name: what the roll-out and the verbs that watch a function need."
  value = { for name, f in module.lambda_function : name => {
    function_name = f.function_name
    arn           = f.arn
    version       = f.version
    log_group     = f.log_group
    queue_urls    = { for trigger, queue in var.functions[name].triggers.queue : trigger => module.queue_trigger["${name}/${trigger}"].url if queue.arn == null }
    topic_arns    = { for trigger in keys(var.functions[name].triggers.topic) : trigger => module.topic_trigger["${name}/${trigger}"].arn }
    buckets       = { for trigger, bucket in var.functions[name].triggers.bucket : trigger => module.bucket_trigger[coalesce(bucket.arn, "${name}/${trigger}")].name }
    streams       = { for trigger in keys(var.functions[name].triggers.stream) : trigger => module.stream_trigger["${name}/${trigger}"].name }
    target_groups = { for trigger in keys(var.functions[name].triggers.load_balancer) : trigger => module.load_balancer_trigger["${name}/${trigger}"].target_group_arn }
    url           = try(module.function_url[name].url, null)
  } }
}

output "http_api_domain" {
  description = "What the DNS record of the HTTP API's domain must be an alias of, and the URL it then has; null without a domain."
  value       = one(module.http_api[*].domain)
}

output "http_api_url" {
  description = "Where the routes are served; null when no function has one."
  value       = one(module.http_api[*].url)
}

output "layers" {
  description = "ARN of the newest version of each Lambda layer."
  value       = { for name, layer in module.lambda_layer : name => layer.arn }
}
