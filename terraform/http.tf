locals {
  with_routes = { for name, f in var.functions : name => f if length(f.triggers.http) > 0 }
  with_url    = { for name, f in var.functions : name => f.triggers.url if f.triggers.url != null }

  # Without those whose function is in another stack.
  authorizers = { for name, authorizer in var.http_api.authorizers : name => authorizer if authorizer.function == null ? true : contains(keys(var.functions), authorizer.function) }

  target_groups = merge([
    for name, f in var.functions : {
      for trigger, settings in f.triggers.load_balancer : "${name}/${trigger}" => merge(settings, { function = name, trigger = trigger })
    }
  ]...)
}

# Each stack has one of its own; the domain is that of the env's own state, as only one can make it.
module "http_api" {
  source = "./modules/http-api"
  count  = length(local.with_routes) > 0 ? 1 : 0

  name = join("_", compact([local.prefix, var.stack]))
  functions = { for name in setunion(keys(local.with_routes), compact(values(local.authorizers)[*].function)) : name => {
    function_name = module.lambda_function[name].function_name
    alias         = module.lambda_function[name].alias.name
    invoke_arn    = module.lambda_function[name].alias.invoke_arn
  } }
  routes = merge([for name, f in local.with_routes : { for route, settings in f.triggers.http : route => merge(settings, { function = name }) }]...)
  authorizers = { for name, authorizer in local.authorizers : name => merge(authorizer, {
    issuer   = try(local.filled[authorizer.issuer], authorizer.issuer)
    audience = [for audience in authorizer.audience : lookup(local.filled, audience, audience)]
  }) }
  cors               = var.http_api.cors
  throttle           = var.http_api.throttle
  log_retention_days = max(values(local.with_routes)[*].log_retention_days...)
  domain = var.http_api.domain == null || var.stack != null ? null : merge(var.http_api.domain, {
    certificate_arn = lookup(local.filled, var.http_api.domain.certificate_arn, var.http_api.domain.certificate_arn)
  })
}

module "function_url" {
  source   = "./modules/function-url"
  for_each = local.with_url

  function_name = module.lambda_function[each.key].function_name
  alias         = module.lambda_function[each.key].alias.name
  package_type  = var.functions[each.key].package_type
  auth          = each.value.auth
  reason        = each.value.reason
  cors          = each.value.cors
  streaming     = each.value.streaming
}

module "load_balancer_trigger" {
  source   = "./modules/load-balancer-trigger"
  for_each = local.target_groups

  name                = "${local.prefix}-${each.value.function}-${each.value.trigger}"
  function_name       = module.lambda_function[each.value.function].function_name
  alias               = module.lambda_function[each.value.function].alias
  multi_value_headers = each.value.multi_value_headers
  health_check_path   = each.value.health_check_path
  rule = each.value.listener_arn == null ? null : merge(each.value, {
    listener_arn = lookup(local.filled, each.value.listener_arn, each.value.listener_arn)
  })
}
