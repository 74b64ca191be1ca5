mock_provider "aws" {}

variables {
  name             = "slipway-dev-orders-incoming"
  function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  function_timeout = 30
  place            = { region = "us-east-1", account_id = "123456789012" }
}

run "a_message_stays_invisible_six_times_the_timeout" {
  command = plan
  assert {
    condition     = aws_sqs_queue.this[0].visibility_timeout_seconds == 180
    error_message = "30 s of timeout need 180 s, got ${aws_sqs_queue.this[0].visibility_timeout_seconds}."
  }
}

run "the_batch_window_adds_to_the_visibility_timeout" {
  command = plan
  variables {
    batch = { size = 100, window_s = 20 }
  }
  assert {
    condition     = aws_sqs_queue.this[0].visibility_timeout_seconds == 200
    error_message = "A window of 20 s must be added."
  }
}

run "a_message_that_keeps_failing_goes_to_the_dead_letter_queue" {
  command = plan
  assert {
    condition = jsondecode(aws_sqs_queue.this[0].redrive_policy) == {
      deadLetterTargetArn = "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming-dead-letter"
      maxReceiveCount     = 5
    }
    error_message = "After 5 deliveries a message must be set aside."
  }
  assert {
    condition     = aws_sqs_queue.dead_letter[0].name == "slipway-dev-orders-incoming-dead-letter" && aws_sqs_queue.dead_letter[0].message_retention_seconds == 14 * 24 * 3600
    error_message = "The dead-letter queue must keep messages for 14 days."
  }
}

run "only_its_own_queue_may_use_a_dead_letter_queue" {
  command = plan
  assert {
    condition = jsondecode(aws_sqs_queue.dead_letter[0].redrive_allow_policy) == {
      redrivePermission = "byQueue"
      sourceQueueArns   = ["arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming"]
    }
    error_message = "Other queues must not be able to send their messages here."
  }
}

run "both_queues_of_a_fifo_trigger_are_fifo_and_named_so" {
  command = plan
  variables {
    fifo = true
  }
  assert {
    condition     = aws_sqs_queue.this[0].name == "slipway-dev-orders-incoming.fifo" && aws_sqs_queue.dead_letter[0].name == "slipway-dev-orders-incoming-dead-letter.fifo"
    error_message = "SQS demands the ending .fifo."
  }
  assert {
    condition     = aws_sqs_queue.this[0].fifo_queue && aws_sqs_queue.dead_letter[0].fifo_queue && aws_sqs_queue.this[0].content_based_deduplication
    error_message = "A FIFO queue's dead-letter queue must be one, too."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.this[0].redrive_policy).deadLetterTargetArn == "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming-dead-letter.fifo"
    error_message = "The queues must name each other by their whole names."
  }
}

run "an_existing_queue_is_read_as_it_is" {
  command = plan
  variables {
    existing = { arn = "arn:aws:sqs:us-east-1:123456789012:returns" }
    filters  = ["{\"body\":{\"kind\":[\"return\"]}}", "{\"body\":{\"kind\":[\"refund\"]}}"]
    enabled  = false
  }
  assert {
    condition     = length(aws_sqs_queue.this) + length(aws_sqs_queue.dead_letter) == 0 && output.url == null && output.dead_letter_url == null
    error_message = "Nothing may be made beside a queue that is there."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == "arn:aws:sqs:us-east-1:123456789012:returns" && !aws_lambda_event_source_mapping.this.enabled
    error_message = "The given queue must be mapped, and not be read yet."
  }
  assert {
    condition     = toset(one(aws_lambda_event_source_mapping.this.filter_criteria).filter[*].pattern) == toset(var.filters)
    error_message = "Only messages that fit a pattern were asked for."
  }
}

run "both_queues_are_encrypted" {
  command = plan
  assert {
    condition     = aws_sqs_queue.this[0].sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled
    error_message = "Messages must be encrypted at rest."
  }
}

run "the_alias_reads_and_reports_failed_messages_one_by_one" {
  command = plan
  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == var.function_arn && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The mapping must read for the alias and let it report partial failures."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-incoming" && aws_lambda_event_source_mapping.this.enabled
    error_message = "The queue that is made must be read, and a plan must say which it is."
  }
  assert {
    condition     = length(aws_lambda_event_source_mapping.this.filter_criteria) == 0
    error_message = "Every message must be delivered unless asked otherwise."
  }
  assert {
    condition     = length(aws_lambda_event_source_mapping.this.scaling_config) == 0
    error_message = "Concurrency must not be bounded unless asked."
  }
}

run "concurrency_is_bounded_when_asked" {
  command = plan
  variables {
    max_concurrency = 2
  }
  assert {
    condition     = one(aws_lambda_event_source_mapping.this.scaling_config).maximum_concurrency == 2
    error_message = "At most 2 invocations at once were asked for."
  }
}

run "a_large_batch_without_a_window_is_refused" {
  command         = plan
  expect_failures = [var.batch]
  variables {
    batch = { size = 11 }
  }
}

run "an_empty_batch_is_refused" {
  command         = plan
  expect_failures = [var.batch]
  variables {
    batch = { size = 0 }
  }
}

run "numbers_and_names_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.batch, var.max_concurrency, var.max_receive_count, var.name]
  variables {
    batch             = { window_s = 301 }
    max_concurrency   = 1
    max_receive_count = 0
    name              = "incoming.fifo"
  }
}

run "a_fifo_queue_has_no_window" {
  command         = plan
  expect_failures = [var.batch]
  variables {
    existing = { arn = "arn:aws:sqs:us-east-1:123456789012:returns.fifo" }
    batch    = { window_s = 5 }
  }
}

run "a_queue_of_another_region_is_refused" {
  command         = plan
  expect_failures = [var.existing]
  variables {
    existing = { arn = "arn:aws:sqs:eu-west-1:123456789012:returns" }
  }
}

run "a_queue_that_is_there_cannot_be_made_fifo" {
  command         = plan
  expect_failures = [var.fifo]
  variables {
    existing = { arn = "arn:aws:sqs:us-east-1:123456789012:returns" }
    fifo     = true
  }
}

run "a_filter_that_is_no_object_is_refused" {
  command         = plan
  expect_failures = [var.filters]
  variables {
    filters = ["[\"return\"]"]
  }
}

run "a_name_too_long_with_its_ending_is_refused" {
  command         = plan
  expect_failures = [var.name]
  variables {
    fifo = true
    name = join("", [for _ in range(64) : "x"])
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_sqs_queue.this[0].tags, aws_sqs_queue.dead_letter[0].tags, aws_lambda_event_source_mapping.this.tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
