mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=" }
  }
}

variables {
  schema_version  = 2
  name            = "slipway"
  env             = "dev"
  stack           = null
  region          = "us-east-1"
  account_id      = "123456789012"
  artifact_bucket = "slipway-dev-artifacts-123456789012-us-east-1"
  http_api        = { cors = null, throttle = null, authorizers = {}, domain = null }
  layers          = {}
  functions = { for name in ["orders", "reports"] : name => merge(jsondecode(file("./tests/function.json")), {
    triggers = merge(jsondecode(file("./tests/function.json")).triggers, jsondecode(file("./tests/events.json"))[name])
  }) }
}

run "each_trigger_makes_what_it_needs_under_the_functions_name" {
  command = plan
  assert {
    condition     = output.functions["orders"].topic_arns == { prices = "arn:aws:sns:us-east-1:123456789012:slipway-dev-orders-prices" }
    error_message = "The topic must be named after function and trigger, got ${jsonencode(output.functions["orders"].topic_arns)}."
  }
  assert {
    condition     = output.functions["orders"].buckets["drafts"] == "slipway-dev-orders-drafts-123456789012"
    error_message = "Names of buckets are everybody's: the account makes them ours."
  }
  assert {
    condition     = output.functions["orders"].streams == { clicks = "slipway-dev-orders-clicks", stock = "slipway-dev-orders-stock" }
    error_message = "Stream and table must be named after function and trigger, got ${jsonencode(output.functions["orders"].streams)}."
  }
  assert {
    condition     = keys(output.functions["orders"].queue_urls) == ["incoming"] && keys(module.event_trigger) == ["orders/paid"] && keys(module.schedule_trigger) == ["orders/nightly"]
    error_message = "Every trigger must be made, and have its URL told only where a queue is made."
  }
}

run "a_plan_says_who_is_called_before_the_function_is_there" {
  command = plan
  assert {
    condition     = local.live["orders"] == { alias = "live", arn = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live", name = "slipway-dev-orders" }
    error_message = "Triggers must call the alias live, by an ARN that a plan can show."
  }
}

run "what_is_there_already_is_taken_and_not_made" {
  command = plan
  assert {
    condition     = local.triggers.queue["orders/returns"].existing == { arn = "arn:aws:sqs:us-east-1:123456789012:returns" } && module.queue_trigger["orders/returns"].url == null
    error_message = "The queue returns is there already."
  }
  assert {
    condition     = output.functions["reports"].streams == { visits = "visits" } && module.stream_trigger["reports/visits"].dead_letter_url == null
    error_message = "The stream visits and its queue are there already."
  }
  assert {
    condition     = output.functions["reports"].topic_arns == { rates = "arn:aws:sns:us-east-1:123456789012:rates" }
    error_message = "The topic rates is there already."
  }
}

run "functions_that_name_one_bucket_share_its_list_of_notifications" {
  command = plan
  assert {
    condition     = keys(module.bucket_trigger) == ["arn:aws:s3:::uploads", "orders/drafts"]
    error_message = "A second list would overwrite the first, got ${join(", ", keys(module.bucket_trigger))}."
  }
  assert {
    condition     = output.functions["orders"].buckets["tables"] == "uploads" && output.functions["reports"].buckets == { images = "uploads" }
    error_message = "Both functions must be told the bucket's name."
  }
}

run "what_terraform_of_the_teams_gives_is_filled_in" {
  command = plan
  override_module {
    target  = module.custom
    outputs = { for_functions = { inbox_arn = "arn:aws:sqs:us-east-1:123456789012:inbox", bus = "arn:aws:events:us-east-1:123456789012:event-bus/shop", lost_arn = "arn:aws:sqs:us-east-1:123456789012:lost" } }
  }
  variables {
    functions = { orders = merge(var.functions.orders, { triggers = merge(var.functions.orders.triggers, {
      queue  = { inbox = merge(var.functions.orders.triggers.queue.returns, { arn = "{custom.inbox_arn}" }) }
      event  = { paid = merge(var.functions.orders.triggers.event.paid, { bus = "{custom.bus}" }) }
      stream = { clicks = merge(var.functions.orders.triggers.stream.clicks, { on_failure = "{custom.lost_arn}" }) }
    }) }) }
  }
  assert {
    condition     = local.triggers.queue["orders/inbox"].existing.arn == "arn:aws:sqs:us-east-1:123456789012:inbox"
    error_message = "The queue's ARN must be the one that terraform/custom/ gives."
  }
  assert {
    condition     = module.event_trigger["orders/paid"].rule_arn == "arn:aws:events:us-east-1:123456789012:rule/shop/slipway-dev-orders-paid"
    error_message = "The rule must be of the bus that terraform/custom/ gives."
  }
  assert {
    condition     = module.stream_trigger["orders/clicks"].dead_letter_url == null
    error_message = "No queue may be made beside the one that terraform/custom/ gives."
  }
}
