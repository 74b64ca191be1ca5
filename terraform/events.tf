# What else invokes functions: queues, streams, topics, rules, schedules and buckets, made here or there already. Each kind has a
# module; everything names the alias live.

locals {
  place = { partition = data.aws_partition.this.partition, region = var.region, account_id = var.account_id }

  # Known while planning, and yet not used before the alias is there.
  live = { for name, f in module.lambda_function : name => {
    name  = f.function_name
    alias = f.alias.name
    arn   = "${local.arn_prefix.lambda}:function:${f.function_name}:${f.alias.name}"
  } }

  triggers = { for kind in ["bucket", "event", "queue", "schedule", "stream", "topic"] : kind => merge([
    for name, f in var.functions : {
      for trigger, settings in f.triggers[kind] : "${name}/${trigger}" => merge(settings, {
        function = name
        trigger  = trigger
        name     = "${local.prefix}-${name}-${trigger}"
        tags     = f.tags
        # What is there already. Whether there is something is known while planning, even where its ARN is not.
        existing = try(settings.arn, null) == null ? null : { arn = lookup(local.filled, settings.arn, settings.arn) }
      })
    }
  ]...) }

  # S3 has one list of notifications for a bucket, so there is one module for it, whoever names it.
  buckets = { for key, bucket in local.triggers.bucket : (bucket.arn == null ? key : bucket.arn) => bucket... }
}

module "queue_trigger" {
  source   = "./modules/queue-trigger"
  for_each = local.triggers.queue

  name              = each.value.name
  existing          = each.value.existing
  fifo              = each.value.fifo
  function_arn      = local.live[each.value.function].arn
  function_timeout  = var.functions[each.value.function].timeout_s
  batch             = { size = each.value.batch_size, window_s = each.value.batch_window_s }
  max_receive_count = each.value.max_receive_count
  max_concurrency   = each.value.max_concurrency
  filters           = each.value.filters
  enabled           = each.value.enabled
  place             = local.place
  tags              = each.value.tags
}

module "stream_trigger" {
  source   = "./modules/stream-trigger"
  for_each = local.triggers.stream

  name         = each.value.name
  kind         = each.value.source
  existing     = each.value.existing
  keys         = each.value.partition_key == null ? null : { partition = each.value.partition_key, sort = each.value.sort_key }
  function_arn = local.live[each.value.function].arn
  start        = each.value.start
  batch        = { size = each.value.batch_size, window_s = each.value.batch_window_s, parallel = each.value.parallel }
  failures = {
    bisect     = each.value.bisect
    retries    = each.value.retries
    max_age_s  = each.value.max_age_s
    on_failure = each.value.on_failure == null ? null : { arn = lookup(local.filled, each.value.on_failure, each.value.on_failure) }
  }
  filters = each.value.filters
  enabled = each.value.enabled
  place   = local.place
  tags    = each.value.tags
}

module "topic_trigger" {
  source   = "./modules/topic-trigger"
  for_each = local.triggers.topic

  name         = each.value.name
  existing     = each.value.existing
  function     = local.live[each.value.function]
  filter       = each.value.filter
  filter_scope = each.value.filter_scope
  place        = local.place
  tags         = each.value.tags
}

module "event_trigger" {
  source   = "./modules/event-trigger"
  for_each = local.triggers.event

  name        = each.value.name
  bus         = lookup(local.filled, each.value.bus, each.value.bus)
  pattern     = each.value.pattern
  function    = local.live[each.value.function]
  retry       = { attempts = each.value.retries, max_age_s = each.value.max_age_s }
  dead_letter = each.value.dead_letter
  enabled     = each.value.enabled
  place       = local.place
  tags        = each.value.tags
}

module "schedule_trigger" {
  source   = "./modules/schedule-trigger"
  for_each = local.triggers.schedule

  name                 = each.value.name
  function_arn         = local.live[each.value.function].arn
  expression           = each.value.expression
  timezone             = each.value.timezone
  input                = each.value.input
  flexible_window_min  = each.value.flexible_window_min
  retry                = { attempts = each.value.retries, max_age_s = each.value.max_age_s }
  dead_letter          = each.value.dead_letter
  enabled              = each.value.enabled
  permissions_boundary = var.permissions_boundary
  place                = local.place
  tags                 = each.value.tags
}

module "bucket_trigger" {
  source   = "./modules/bucket-trigger"
  for_each = local.buckets

  name     = "${each.value[0].name}-${var.account_id}"
  existing = each.value[0].existing
  functions = { for trigger in each.value : trigger.name => merge(local.live[trigger.function], {
    events = trigger.events
    prefix = trigger.prefix
    suffix = trigger.suffix
  }) }
  place = local.place
  tags  = each.value[0].tags
}
