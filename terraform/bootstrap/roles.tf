# What GitHub's workflows may do. Reading is the plan's whole right, but for artifacts, which it publishes before it plans.

locals {
  roles = { for role, environment in { plan = "${var.env}-plan", deploy = var.env } : role => environment if var.github != null }
  may   = { plan = local.may_plan, deploy = concat(local.may_plan, local.may_deploy) }

  here = "${var.region}:${var.account_id}"
  made = {
    apis       = [for path in ["/apis", "/apis/*", "/tags/*"] : "arn:${local.partition}:apigateway:${var.region}::${path}"]
    functions  = ["arn:${local.partition}:lambda:${local.here}:function:${local.prefix}-*"]
    layers     = ["arn:${local.partition}:lambda:${local.here}:layer:${local.prefix}-*"]
    mappings   = ["arn:${local.partition}:lambda:${local.here}:event-source-mapping:*"]
    queues     = ["arn:${local.partition}:sqs:${local.here}:${local.prefix}-*"]
    roles      = ["arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*"]
    log_groups = [for group in ["lambda/${local.prefix}-*", "vendedlogs/http-api/${local.prefix}", "vendedlogs/http-api/${local.prefix}:*"] : "arn:${local.partition}:logs:${local.here}:log-group:/aws/${group}"]
  }
  artifacts = [for folder in ["functions", "layers"] : "${local.arns.buckets.artifacts}/${folder}/*"]
  state     = "${local.arns.buckets.state}/${trimsuffix(var.state.key, ".tfstate")}" # and what is named after it: stacks

  may_plan = [
    { Sid = "ListBuckets", Action = ["s3:ListBucket"], Resource = values(local.arns.buckets) },
    { Sid = "ReadState", Action = ["s3:GetObject"], Resource = ["${local.state}*"] },
    { Sid = "ReadArtifacts", Action = ["s3:GetObject", "s3:GetObjectTagging"], Resource = ["${local.arns.buckets.artifacts}/*"] },
    { Sid = "Publish", Action = ["s3:PutObject"], Resource = local.artifacts },
    { Sid = "ReadFunctions", Action = ["lambda:Get*", "lambda:List*"], Resource = concat(local.made.functions, local.made.layers, local.made.mappings) },
    { Sid = "ReadLayers", Action = ["lambda:GetLayerVersion"], Resource = ["arn:${local.partition}:lambda:*:*:layer:*"] },
    { Sid = "ReadQueues", Action = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"], Resource = local.made.queues },
    { Sid = "ReadRoles", Action = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListRoleTags"], Resource = local.made.roles },
    { Sid = "ReadLogGroups", Action = ["logs:ListTagsForResource"], Resource = local.made.log_groups },
    { Sid = "ReadApis", Action = ["apigateway:GET"], Resource = local.made.apis },
    { Sid = "List", Action = ["lambda:ListEventSourceMappings", "logs:DescribeLogGroups"], Resource = ["*"] }, # AWS takes no narrower one
  ]

  may_deploy = [
    { Sid = "WriteState", Action = ["s3:PutObject"], Resource = ["${local.state}*"] },
    { Sid = "FreeStateLock", Action = ["s3:DeleteObject"], Resource = ["${local.state}*.tflock"] },
    { Sid = "Record", Action = ["s3:PutObject"], Resource = ["${local.arns.buckets.artifacts}/releases/*"] },
    { Sid = "Functions", Resource = local.made.functions, Action = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency", "lambda:InvokeFunction", "lambda:PublishVersion", "lambda:PutFunctionConcurrency",
      "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias", "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
    ] },
    { Sid = "Layers", Action = ["lambda:DeleteLayerVersion", "lambda:PublishLayerVersion"], Resource = local.made.layers },
    {
      Sid       = "Mappings"
      Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
      Resource  = ["*"] # Create has no ARN yet
      Condition = { ArnLike = { "lambda:FunctionArn" = local.made.functions } }
    },
    { Sid = "MappingTags", Action = ["lambda:TagResource", "lambda:UntagResource"], Resource = local.made.mappings },
    { Sid = "Queues", Action = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = local.made.queues },
    { Sid = "LogGroups", Action = ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"], Resource = local.made.log_groups },
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    { Sid = "AccessLogs", Action = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"], Resource = ["*"] },
    { Sid = "Apis", Action = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource", "apigateway:UntagResource"], Resource = local.made.apis },
    {
      Sid       = "RolesInsideTheBoundary"
      Action    = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = local.made.roles
      Condition = { StringEquals = { "iam:PermissionsBoundary" = local.arns.boundary } }
    },
    { Sid = "Roles", Action = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole"], Resource = local.made.roles },
    {
      Sid       = "RolesToLambdaOnly"
      Action    = ["iam:PassRole"]
      Resource  = local.made.roles
      Condition = { StringEquals = { "iam:PassedToService" = "lambda.amazonaws.com" } }
    },
    {
      Sid      = "NotItself" # <prefix>-* also begins the names of an env called <env>-something
      Effect   = "Deny"
      Action   = ["iam:*"]
      Resource = concat([local.arns.boundary], [for role in ["plan", "deploy"] : "arn:${local.partition}:iam::${var.account_id}:role/${var.name}-*.${role}"])
    },
  ]
}

# An account has one for all of GitHub, so other repositories may rely on it.
resource "aws_iam_openid_connect_provider" "github" {
  count = try(var.github.create_provider, false) ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_iam_role" "github" {
  for_each = local.roles

  name        = "${local.prefix}.${each.key}"
  description = "Workflows of ${var.github.repository} in the GitHub environment ${each.value}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.arns.provider }
      Condition = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:${var.github.repository}:environment:${each.value}"
      } }
    }]
  })

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "github" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.github[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = [for statement in local.may[each.key] : merge({ Effect = "Allow" }, statement)] })
}
