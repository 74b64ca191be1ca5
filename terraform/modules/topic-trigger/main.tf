locals {
  # Built from names, not read from resources: a plan then shows who may call the function.
  made = "arn:${var.place.partition}:sns:${var.place.region}:${var.place.account_id}:${join("", aws_sns_topic.this[*].name)}"
  arn  = var.existing == null ? local.made : var.existing.arn
}

resource "aws_sns_topic" "this" {
  count = var.existing == null ? 1 : 0

  name              = var.name
  kms_master_key_id = "alias/aws/sns"
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "this" {
  topic_arn           = local.arn
  protocol            = "lambda"
  endpoint            = var.function.arn
  filter_policy       = var.filter
  filter_policy_scope = var.filter == null ? null : { attributes = "MessageAttributes", body = "MessageBody" }[var.filter_scope]

  depends_on = [aws_lambda_permission.this]
}

resource "aws_lambda_permission" "this" {
  statement_id  = "topic-${var.name}"
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  qualifier     = var.function.alias
  principal     = "sns.amazonaws.com"
  source_arn    = local.arn
}
