# Where a team uses CodeDeploy: it shifts the callers of the functions that ask for it. The roll-out begins its deployments.

locals {
  # Composed, as hooks' roles name its groups. No name of an env or a stack holds a _.
  application = join("_", compact([local.prefix, var.stack]))

  handed_over = { for name, f in var.functions : name => f.codedeploy if f.codedeploy != null }
  hooks = { for name, settings in local.handed_over : name => { for event, hook in {
    BeforeAllowTraffic = settings.before_hook
    AfterAllowTraffic  = settings.after_hook
  } : event => hook if hook != null } }
}

module "codedeploy_application" {
  source = "./modules/codedeploy-application"
  count  = length(local.handed_over) > 0 ? 1 : 0

  name                 = local.application
  permissions_boundary = var.permissions_boundary
  place                = local.place
  groups = { for name, settings in local.handed_over : name => {
    function_name = "${local.prefix}-${name}"
    strategy      = settings.strategy
    percent       = settings.percent
    minutes       = settings.minutes
    alarms        = try(module.function_alarms[name].names, [])
    hooks         = { for event, hook in local.hooks[name] : event => "${local.prefix}-${hook}" }
    tags          = var.functions[name].tags
  } }
}
