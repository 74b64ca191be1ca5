mock_provider "aws" {
  override_during = plan
  mock_resource "aws_dynamodb_table" {
    defaults = { stream_arn = "arn:aws:dynamodb:us-east-1:123456789012:table/slipway-dev-orders-clicks/stream/2026-01-01T00:00:00.000" }
  }
}

variables {
  name         = "slipway-dev-orders-clicks"
  kind         = "kinesis"
  function_arn = "arn:aws:lambda:us-east-1:123456789012:function:slipway-dev-orders:live"
  place        = { region = "us-east-1", account_id = "123456789012" }
}

run "a_kinesis_stream_that_is_made_is_on_demand_and_encrypted" {
  command = plan
  assert {
    condition     = aws_kinesis_stream.this[0].stream_mode_details[0].stream_mode == "ON_DEMAND" && aws_kinesis_stream.this[0].encryption_type == "KMS" && aws_kinesis_stream.this[0].kms_key_id == "alias/aws/kinesis"
    error_message = "Records must be encrypted at rest, and shards nobody's care."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == "arn:aws:kinesis:us-east-1:123456789012:stream/slipway-dev-orders-clicks" && length(aws_dynamodb_table.this) == 0 && output.name == "slipway-dev-orders-clicks"
    error_message = "The stream that is made must be read, and nothing else be made."
  }
}

run "the_alias_reads_from_now_on_and_reports_failed_records" {
  command = plan
  assert {
    condition     = aws_lambda_event_source_mapping.this.function_name == var.function_arn && aws_lambda_event_source_mapping.this.starting_position == "LATEST" && aws_lambda_event_source_mapping.this.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "The mapping must read for the alias and let it report partial failures."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 100 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 0 && aws_lambda_event_source_mapping.this.parallelization_factor == 1
    error_message = "A hundred records at once, at once, one batch of a shard at a time."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.enabled && length(aws_lambda_event_source_mapping.this.filter_criteria) == 0
    error_message = "Every record must be read unless asked otherwise."
  }
}

run "a_batch_that_keeps_failing_is_told_to_the_dead_letter_queue" {
  command = plan
  assert {
    condition     = aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.maximum_retry_attempts == 10 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == -1
    error_message = "A batch must be halved and tried ten times, whatever its age."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:sqs:us-east-1:123456789012:slipway-dev-orders-clicks-dead-letter"
    error_message = "Then the queue must be told."
  }
  assert {
    condition     = aws_sqs_queue.dead_letter[0].name == "slipway-dev-orders-clicks-dead-letter" && aws_sqs_queue.dead_letter[0].sqs_managed_sse_enabled && aws_sqs_queue.dead_letter[0].message_retention_seconds == 14 * 24 * 3600
    error_message = "The queue must be encrypted and keep messages for 14 days."
  }
}

run "a_table_that_is_made_streams_both_images_and_can_be_restored" {
  command = plan
  variables {
    kind = "dynamodb"
    keys = { partition = "customer", sort = "day" }
  }
  assert {
    condition     = aws_dynamodb_table.this[0].hash_key == "customer" && aws_dynamodb_table.this[0].range_key == "day" && aws_dynamodb_table.this[0].billing_mode == "PAY_PER_REQUEST"
    error_message = "The table must have the keys that were given, and cost what it is used."
  }
  assert {
    condition     = { for each in aws_dynamodb_table.this[0].attribute : each.name => each.type } == { customer = "S", day = "S" }
    error_message = "Keys are texts."
  }
  assert {
    condition     = aws_dynamodb_table.this[0].stream_view_type == "NEW_AND_OLD_IMAGES" && aws_dynamodb_table.this[0].point_in_time_recovery[0].enabled
    error_message = "The table must stream both images and be restorable."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == aws_dynamodb_table.this[0].stream_arn && length(aws_kinesis_stream.this) == 0 && output.name == "slipway-dev-orders-clicks"
    error_message = "The table's stream must be read, and nothing else be made."
  }
}

run "a_partition_key_is_enough" {
  command = plan
  variables {
    kind = "dynamodb"
    keys = { partition = "id" }
  }
  assert {
    condition     = aws_dynamodb_table.this[0].range_key == null && aws_dynamodb_table.this[0].attribute == toset([{ name = "id", type = "S" }])
    error_message = "A table needs no sort key."
  }
}

run "a_stream_that_is_there_is_read_as_asked" {
  command = plan
  variables {
    batch    = { parallel = 4, size = 10, window_s = 5 }
    enabled  = false
    existing = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/stock/stream/2026-01-01T00:00:00.000" }
    failures = { bisect = false, max_age_s = 3600, on_failure = { arn = "arn:aws:sns:us-east-1:123456789012:lost" }, retries = 0 }
    filters  = ["{\"eventName\":[\"REMOVE\"]}"]
    kind     = "dynamodb"
    start    = "trim-horizon"
  }
  assert {
    condition     = length(aws_kinesis_stream.this) + length(aws_dynamodb_table.this) + length(aws_sqs_queue.dead_letter) == 0 && output.name == "stock" && output.dead_letter_url == null
    error_message = "Nothing may be made beside what is there."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.event_source_arn == var.existing.arn && !aws_lambda_event_source_mapping.this.enabled && aws_lambda_event_source_mapping.this.starting_position == "TRIM_HORIZON"
    error_message = "The given stream must be mapped from its beginning, and not be read yet."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.this.batch_size == 10 && aws_lambda_event_source_mapping.this.maximum_batching_window_in_seconds == 5 && aws_lambda_event_source_mapping.this.parallelization_factor == 4
    error_message = "Batches must be as asked."
  }
  assert {
    condition     = !aws_lambda_event_source_mapping.this.bisect_batch_on_function_error && aws_lambda_event_source_mapping.this.maximum_retry_attempts == 0 && aws_lambda_event_source_mapping.this.maximum_record_age_in_seconds == 3600 && aws_lambda_event_source_mapping.this.destination_config[0].on_failure[0].destination_arn == "arn:aws:sns:us-east-1:123456789012:lost"
    error_message = "Failures must be treated as asked."
  }
  assert {
    condition     = one(one(aws_lambda_event_source_mapping.this.filter_criteria).filter).pattern == var.filters[0]
    error_message = "Only removals were asked for."
  }
}

run "a_table_without_a_key_is_refused" {
  command         = plan
  expect_failures = [var.keys]
  variables {
    kind = "dynamodb"
  }
}

run "a_key_for_a_stream_is_refused" {
  command         = plan
  expect_failures = [var.keys]
  variables {
    keys = { partition = "id" }
  }
}

run "a_table_is_not_its_stream" {
  command         = plan
  expect_failures = [var.existing]
  variables {
    kind     = "dynamodb"
    existing = { arn = "arn:aws:dynamodb:us-east-1:123456789012:table/stock" }
  }
}

run "a_kind_of_stream_that_is_not_known_is_refused" {
  command         = plan
  expect_failures = [var.kind]
  variables {
    kind = "kafka"
  }
}

run "values_out_of_bounds_are_refused" {
  command         = plan
  expect_failures = [var.batch, var.failures, var.filters, var.name, var.start]
  variables {
    batch    = { parallel = 11, size = 10001 }
    failures = { max_age_s = 59, on_failure = { arn = "queue" }, retries = -1 }
    filters  = ["[]"]
    name     = join("", [for _ in range(69) : "x"])
    start    = "now"
  }
}

run "everything_that_is_made_has_the_tags" {
  command = plan
  variables {
    tags = { team = "shop" }
  }
  assert {
    condition     = alltrue([for tags in [aws_kinesis_stream.this[0].tags, aws_sqs_queue.dead_letter[0].tags, aws_lambda_event_source_mapping.this.tags] : tags == tomap({ team = "shop" })])
    error_message = "Something would be nobody's."
  }
}
