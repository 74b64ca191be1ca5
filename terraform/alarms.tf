# When CloudWatch says that something is wrong, and one page to look at. Names are composed, so that plans show all of it.

locals {
  dead_letter_queues = { for name, f in var.functions : name => [for queue in concat(
    [for trigger, settings in f.triggers.queue : "${trigger}-dead-letter${settings.fifo ? ".fifo" : ""}" if settings.arn == null],
    [for trigger, settings in f.triggers.event : "${trigger}-dead-letter" if settings.dead_letter],
    [for trigger, settings in f.triggers.schedule : "${trigger}-dead-letter" if settings.dead_letter],
    [for trigger, settings in f.triggers.stream : "${trigger}-dead-letter" if settings.on_failure == null],
    f.asynchronous.on_failure == "queue" ? ["failures"] : [],
  ) : "${local.prefix}-${name}-${queue}"] }

  with_alarms = { for name, f in var.functions : name => f if f.alarms.enabled && var.alarms.enabled }

  # A dashboard takes 200 functions. No name of an env or a stack holds a _.
  dashboards = { for page, names in chunklist(var.alarms.enabled ? sort(keys(var.functions)) : [], 200) :
    join("_", compact([local.prefix, var.stack, page == 0 ? "" : page + 1])) => names
  }
}

module "function_alarms" {
  source   = "./modules/function-alarms"
  for_each = local.with_alarms

  function_name      = "${local.prefix}-${each.key}"
  timeout_s          = each.value.timeout_s
  dead_letter_queues = local.dead_letter_queues[each.key]
  actions            = [for action in var.alarms.actions : lookup(local.filled, action, action)]
  thresholds = {
    errors           = each.value.alarms.errors
    throttles        = each.value.alarms.throttles
    duration_percent = each.value.alarms.duration_percent
    dead_letters     = each.value.alarms.dead_letters
  }
}

module "dashboard" {
  source   = "./modules/dashboard"
  for_each = local.dashboards

  name   = each.key
  region = var.region
  functions = { for name in each.value : name => {
    function_name      = "${local.prefix}-${name}"
    log_group          = "/aws/lambda/${local.prefix}-${name}"
    alarm_arns         = [for alarm in try(module.function_alarms[name].names, []) : "arn:${data.aws_partition.this.partition}:cloudwatch:${var.region}:${var.account_id}:alarm:${alarm}"]
    dead_letter_queues = local.dead_letter_queues[name]
  } }
}
