locals {
  arn_prefix = { for service in ["codedeploy", "lambda"] : service => "arn:${var.place.partition}:${service}:${var.place.region}:${var.place.account_id}" }

  # https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-configurations.html
  predefined = merge(
    { for minutes in [5, 10, 15, 30] : "canary-10-${minutes}" => "CodeDeployDefault.LambdaCanary10Percent${minutes}Minutes" },
    { for minutes in [2, 3, 10] : "linear-10-${minutes}" => "CodeDeployDefault.LambdaLinear10PercentEvery${minutes}Minutes" },
    { "linear-10-1" = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute" },
  )
  configs = { for key, group in var.groups : key => (
    group.strategy == "at-once" ? "CodeDeployDefault.LambdaAllAtOnce" :
    lookup(local.predefined, "${group.strategy}-${group.percent}-${group.minutes}", "${group.function_name}.${group.strategy}-${group.percent}-percent-${group.minutes}-min")
  ) }
}

resource "aws_codedeploy_app" "this" {
  name             = var.name
  compute_platform = "Lambda"
}

resource "aws_codedeploy_deployment_config" "this" {
  for_each = { for key, name in local.configs : key => name if !startswith(name, "CodeDeployDefault.") }

  deployment_config_name = each.value
  compute_platform       = "Lambda"

  traffic_routing_config {
    type = var.groups[each.key].strategy == "canary" ? "TimeBasedCanary" : "TimeBasedLinear"

    dynamic "time_based_canary" {
      for_each = var.groups[each.key].strategy == "canary" ? [var.groups[each.key]] : []
      content {
        percentage = time_based_canary.value.percent
        interval   = time_based_canary.value.minutes
      }
    }

    dynamic "time_based_linear" {
      for_each = var.groups[each.key].strategy == "linear" ? [var.groups[each.key]] : []
      content {
        percentage = time_based_linear.value.percent
        interval   = time_based_linear.value.minutes
      }
    }
  }

  # Nothing of it can be changed, and a group keeps the one it has until it gets the next.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_codedeploy_deployment_group" "this" {
  for_each = var.groups

  app_name               = aws_codedeploy_app.this.name
  deployment_group_name  = each.value.function_name
  deployment_config_name = try(aws_codedeploy_deployment_config.this[each.key].deployment_config_name, local.configs[each.key])
  service_role_arn       = aws_iam_role.this[each.key].arn
  tags                   = each.value.tags

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  auto_rollback_configuration {
    enabled = true
    events  = concat(["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"], length(each.value.alarms) > 0 ? ["DEPLOYMENT_STOP_ON_ALARM"] : [])
  }

  dynamic "alarm_configuration" {
    for_each = length(each.value.alarms) > 0 ? [each.value.alarms] : []
    content {
      alarms  = alarm_configuration.value
      enabled = true
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# The dot, which no function can have in its name, keeps it apart from the roles of functions.
resource "aws_iam_role" "this" {
  for_each = var.groups

  name                 = "${each.value.function_name}.codedeploy"
  description          = "What CodeDeploy may do to shift the callers of ${each.value.function_name}"
  permissions_boundary = var.permissions_boundary
  tags                 = each.value.tags

  # https://docs.aws.amazon.com/codedeploy/latest/userguide/security_confused_deputy.html
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codedeploy.amazonaws.com" }
      Condition = { StringEquals = {
        "aws:SourceAccount" = var.place.account_id
        "aws:SourceArn"     = "${local.arn_prefix.codedeploy}:deploymentgroup:${var.name}/${each.value.function_name}"
      } }
    }]
  })
}

# What AWSCodeDeployRoleForLambdaLimited allows for every function, and for every bucket, here for this one:
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambdaLimited.html
resource "aws_iam_role_policy" "this" {
  for_each = var.groups

  name = "codedeploy"
  role = aws_iam_role.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect   = "Allow"
          Action   = ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
          Resource = [for ending in ["", ":*"] : "${local.arn_prefix.lambda}:function:${each.value.function_name}${ending}"]
        },
        { Effect = "Allow", Action = ["cloudwatch:DescribeAlarms"], Resource = ["*"] },
      ],
      length(each.value.hooks) == 0 ? [] : [{
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = flatten([for hook in distinct(values(each.value.hooks)) : [for ending in ["", ":*"] : "${local.arn_prefix.lambda}:function:${hook}${ending}"]])
      }],
    )
  })
}
