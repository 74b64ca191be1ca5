locals {
  scales = var.max != null
}

# There as long as anything is provisioned, whoever decides how much: removing it ends the cost.
resource "aws_lambda_provisioned_concurrency_config" "this" {
  function_name                     = var.function_name
  qualifier                         = var.alias
  provisioned_concurrent_executions = var.concurrency

  lifecycle {
    ignore_changes = [provisioned_concurrent_executions]
  }
}

# The same configuration once more, as long as its number is fixed. What scales must be able to move it, and Terraform
# cannot ignore a change now and then.
resource "aws_lambda_provisioned_concurrency_config" "fixed" {
  count = local.scales ? 0 : 1

  function_name                     = aws_lambda_provisioned_concurrency_config.this.function_name
  qualifier                         = aws_lambda_provisioned_concurrency_config.this.qualifier
  provisioned_concurrent_executions = var.concurrency
  skip_destroy                      = true
}

# Scheduled actions move the target's bounds, so that Terraform must leave these alone. Where they are to change all the
# same, the target is registered anew, and with it what AWS forgets when one is deregistered.
resource "terraform_data" "bounds" {
  count = local.scales ? 1 : 0

  input = length(var.schedules) > 0 ? null : { min = var.concurrency, max = var.max }
}

resource "aws_appautoscaling_target" "this" {
  count = local.scales ? 1 : 0

  service_namespace  = "lambda"
  scalable_dimension = "lambda:function:ProvisionedConcurrency"
  resource_id        = "function:${aws_lambda_provisioned_concurrency_config.this.function_name}:${aws_lambda_provisioned_concurrency_config.this.qualifier}"
  min_capacity       = var.concurrency
  max_capacity       = var.max

  lifecycle {
    ignore_changes       = [min_capacity, max_capacity]
    replace_triggered_by = [terraform_data.bounds]
  }
}

resource "aws_appautoscaling_policy" "use" {
  count = local.scales ? 1 : 0

  name               = "use"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value = var.target_percent / 100

    predefined_metric_specification {
      predefined_metric_type = "LambdaProvisionedConcurrencyUtilization"
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds]
  }
}

resource "aws_appautoscaling_scheduled_action" "this" {
  for_each = var.schedules

  name               = each.key
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id
  schedule           = each.value.expression
  timezone           = each.value.timezone

  scalable_target_action {
    min_capacity = each.value.min
    max_capacity = each.value.max
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds]
  }
}
