output "functions" {
  description = "By folder name: what the roll-out and the verbs that watch a function need."
  value = { for name, f in module.lambda_function : name => {
    function_name = f.function_name
    arn           = f.arn
    version       = f.version
    log_group     = f.log_group
    queue_urls    = { for key, queue in local.queues : queue.trigger => module.queue_trigger[key].url if queue.function == name }
  } }
}

output "http_api_url" {
  description = "Where the routes are served; null when no function has one."
  value       = one(module.http_api[*].url)
}

output "layers" {
  description = "ARN of the newest version of each Lambda layer."
  value       = { for name, layer in module.lambda_layer : name => layer.arn }
}
