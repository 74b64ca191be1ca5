mock_provider "aws" {
  override_during = plan
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:some-queue" }
  }
}

variables {
  name             = "slipway-dev-orders-incoming"
  function_arn     = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  function_timeout = 30
}

run "a_message_stays_invisible_six_times_the_timeout" {
  command = plan
  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 180
    error_message = "30 s of timeout need 180 s, got ${aws_sqs_queue.this.visibility_timeout_seconds}."
  }
}

run "the_batch_window_adds_to_the_visibility_timeout" {
  command = plan
  variables {
    batch_size     = 100
    batch_window_s = 20
  }
  assert {
    condition     = aws_sqs_queue.this.visibility_timeout_seconds == 200
    error_message = "A window of 20 s must be added."
  }
}

run "a_message_that_keeps_failing_goes_to_the_dead_letter_queue" {
  command = plan
  assert {
    condition = jsondecode(aws_sqs_queue.this.redrive_policy) == {
      deadLetterTargetArn = aws_sqs_queue.dead_letter.arn
      maxReceiveCount     = 5
    }
    error_message = "After 5 deliveries a message must be set aside."
  }
  assert {
    condition     = aws_sqs_queue.dead_letter.name == "slipway-dev-orders-incoming-dead-letter" && aws_sqs_queue.dead_letter.message_retention_seconds == 14 * 24 * 3600
    error_message = "The dead-letter queue must keep messages for 14 days."
  }
}

run "both_queues_are_encrypted" {
  command = plan
  assert {
    condition     = aws_sqs_queue.this.sqs_managed_sse_enabled && aws_sqs_queue.dead_letter.sqs_managed_sse_enabled
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
  expect_failures = [var.batch_size]
  variables {
    batch_size = 11
  }
}

run "an_empty_batch_is_refused" {
  command         = plan
  expect_failures = [var.batch_size]
  variables {
    batch_size = 0
  }
}

run "numbers_and_names_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.batch_window_s, var.max_concurrency, var.max_receive_count, var.name]
  variables {
    batch_window_s    = 301
    max_concurrency   = 1
    max_receive_count = 0
    name              = "incoming.fifo"
  }
}
