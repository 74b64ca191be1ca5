resource "aws_lb_target_group" "this" {
  name                               = var.name
  target_type                        = "lambda"
  lambda_multi_value_headers_enabled = var.multi_value_headers

  # Said even when nobody asks: the provider takes a missing block for the one there is. Interval and timeout are AWS's own
  # for Lambda, the provider's are not: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
  health_check {
    enabled  = var.health_check_path != null
    path     = coalesce(var.health_check_path, "/")
    interval = 35
    timeout  = 30
    matcher  = "200"
  }

  lifecycle {
    create_before_destroy = true # under another name: AWS deletes none that a rule still forwards to
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "load-balancer-${var.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  qualifier     = var.alias.name
  principal     = "elasticloadbalancing.amazonaws.com"
  source_arn    = aws_lb_target_group.this.arn
}

resource "aws_lb_target_group_attachment" "this" {
  target_group_arn = aws_lb_target_group.this.arn
  target_id        = var.alias.arn

  depends_on = [aws_lambda_permission.this] # AWS refuses a target it may not call
}

resource "aws_lb_listener_rule" "this" {
  count = var.rule == null ? 0 : 1

  listener_arn = var.rule.listener_arn
  priority     = var.rule.priority

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }

  dynamic "condition" {
    for_each = length(var.rule.paths) > 0 ? [var.rule.paths] : []
    content {
      path_pattern {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = length(var.rule.hosts) > 0 ? [var.rule.hosts] : []
    content {
      host_header {
        values = condition.value
      }
    }
  }

  dynamic "condition" {
    for_each = length(var.rule.methods) > 0 ? [var.rule.methods] : []
    content {
      http_request_method {
        values = condition.value
      }
    }
  }

  depends_on = [aws_lb_target_group_attachment.this] # so that no request reaches a group without a target
}
