# What GitHub's workflows may do. Reading is the plan's whole right, but for artifacts, which it publishes before it plans.

locals {
  roles = { for role, environment in { plan = "${var.env}-plan", deploy = var.env } : role => environment if var.github != null }
  may   = { plan = local.may_plan, deploy = concat(local.may_plan, local.may_deploy) }

  # Several: all inline policies of a role together may have 10,240 characters, a role 10 managed ones.
  statements = { for role in keys(local.roles) : role => [for statement in local.may[role] : jsonencode(merge({ Effect = "Allow" }, statement))] }
  policies = merge([for role, statements in local.statements : { for part, some in chunklist(statements, 10) : "${role}-${part + 1}" => {
    role     = role
    document = "{\"Version\":\"2012-10-17\",\"Statement\":[${join(",", some)}]}"
  } }]...)

  here = "${var.region}:${var.account_id}"
  made = {
    alarms     = [for name in ["${local.prefix}-*", "TargetTracking-function:${local.prefix}-*"] : "arn:${local.partition}:cloudwatch:${local.here}:alarm:${name}"]
    apis       = [for path in ["/apis", "/apis/*", "/domainnames", "/domainnames/*", "/tags/*"] : "arn:${local.partition}:apigateway:${var.region}::${path}"]
    dashboards = ["arn:${local.partition}:cloudwatch::${var.account_id}:dashboard/${local.prefix}", "arn:${local.partition}:cloudwatch::${var.account_id}:dashboard/${local.prefix}_*"]
    buckets    = ["arn:${local.partition}:s3:::${local.prefix}-*-${var.account_id}"]
    configs    = ["arn:${local.partition}:codedeploy:${local.here}:deploymentconfig:${local.prefix}-*"]
    deployed   = [for name in ["application:${local.prefix}", "application:${local.prefix}_*", "deploymentgroup:${local.prefix}/*", "deploymentgroup:${local.prefix}_*/*"] : "arn:${local.partition}:codedeploy:${local.here}:${name}"]
    functions  = ["arn:${local.partition}:lambda:${local.here}:function:${local.prefix}-*"]
    images     = ["arn:${local.partition}:ecr:${local.here}:repository/${local.prefix}/*"]
    layers     = ["arn:${local.partition}:lambda:${local.here}:layer:${local.prefix}-*"]
    mappings   = ["arn:${local.partition}:lambda:${local.here}:event-source-mapping:*"]
    queues     = ["arn:${local.partition}:sqs:${local.here}:${local.prefix}-*"]
    roles      = ["arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*"]
    rules      = [for bus in ["", "*/"] : "arn:${local.partition}:events:${local.here}:rule/${bus}${local.prefix}-*"]
    schedules  = [for name in ["schedule-group/${local.prefix}-*", "schedule/${local.prefix}-*/*"] : "arn:${local.partition}:scheduler:${local.here}:${name}"]
    streams    = ["arn:${local.partition}:kinesis:${local.here}:stream/${local.prefix}-*"]
    tables     = ["arn:${local.partition}:dynamodb:${local.here}:table/${local.prefix}-*"]
    topics     = ["arn:${local.partition}:sns:${local.here}:${local.prefix}-*"]
    scaled     = ["arn:${local.partition}:application-autoscaling:${local.here}:scalable-target/*"]
    log_groups = [for group in ["lambda/${local.prefix}-*", "vendedlogs/http-api/${local.prefix}", "vendedlogs/http-api/${local.prefix}:*", "vendedlogs/http-api/${local.prefix}_*"] : "arn:${local.partition}:logs:${local.here}:log-group:/aws/${group}"]
    stacks     = ["arn:${local.partition}:cloudformation:${local.here}:stack/${local.prefix}-*/*"]
    balancing = { for kind, names in { groups = "targetgroup/${local.prefix}-*", listeners = "listener/app/*", rules = "listener-rule/app/*" } :
      kind => ["arn:${local.partition}:elasticloadbalancing:${local.here}:${names}"]
    }
  }
  artifacts = [for folder in ["functions", "layers"] : "${local.arns.buckets.artifacts}/${folder}/*"]
  state     = "${local.arns.buckets.state}/${trimsuffix(var.state.key, ".tfstate")}" # and what is named after it: stacks

  codedeploys_roles = ["arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*.codedeploy"]
  predefined        = ["arn:${local.partition}:codedeploy:${local.here}:deploymentconfig:CodeDeployDefault.*"]

  in_this_account = { StringEquals = { "aws:ResourceAccount" = var.account_id } }

  # What Lambda does for whoever asks it: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
  through_lambda = { StringEquals = { "kms:ViaService" = "lambda.${var.region}.amazonaws.com" } }
  keys           = ["arn:${local.partition}:kms:${local.here}:key/*"]

  may_plan = [
    { Sid = "ListBuckets", Action = ["s3:ListBucket"], Resource = values(local.arns.buckets) },
    { Sid = "ReadState", Action = ["s3:GetObject"], Resource = ["${local.state}*"] },
    { Sid = "ReadArtifacts", Action = ["s3:GetObject", "s3:GetObjectTagging"], Resource = ["${local.arns.buckets.artifacts}/*"] },
    { Sid = "Publish", Action = ["s3:PutObject"], Resource = local.artifacts },
    # An image is pushed before its plan, and a repository is there before it: Terraform adopts it.
    { Sid = "PublishImages", Resource = local.made.images, Action = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:CreateRepository", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:TagResource", "ecr:UploadLayerPart",
    ] },
    { Sid = "LogIntoImages", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "ReadFunctions", Action = ["lambda:Get*", "lambda:List*"], Resource = concat(local.made.functions, local.made.layers, local.made.mappings) },
    { Sid = "ReadLayers", Action = ["lambda:GetLayerVersion"], Resource = ["arn:${local.partition}:lambda:*:*:layer:*"] },
    { Sid = "ReadQueues", Action = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"], Resource = local.made.queues },
    { Sid = "ReadTopics", Action = ["sns:GetTopicAttributes", "sns:ListTagsForResource"], Resource = local.made.topics },
    { Sid = "ReadSubscriptions", Action = ["sns:GetSubscriptionAttributes", "sns:ListSubscriptionsByTopic"], Resource = ["*"] }, # also of topics that are others'
    { Sid = "ReadRules", Action = ["events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule"], Resource = local.made.rules },
    { Sid = "ReadSchedules", Action = ["scheduler:Get*", "scheduler:ListTagsForResource"], Resource = local.made.schedules },
    { Sid = "ReadStreams", Action = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:ListTagsForStream"], Resource = local.made.streams },
    { Sid = "ReadTables", Action = ["dynamodb:Describe*", "dynamodb:ListTagsOfResource"], Resource = local.made.tables },
    { Sid = "ReadBuckets", Action = ["s3:GetAccelerateConfiguration", "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = local.made.buckets },
    { Sid = "ReadNotifications", Action = ["s3:GetBucketNotification"], Resource = ["arn:${local.partition}:s3:::*"], Condition = local.in_this_account }, # of buckets that are there already
    { Sid = "ReadRoles", Action = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies", "iam:ListRoleTags"], Resource = local.made.roles },
    { Sid = "ReadLogGroups", Action = ["logs:ListTagsForResource"], Resource = local.made.log_groups },
    { Sid = "ReadAlarms", Action = ["cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"], Resource = concat(local.made.alarms, local.made.dashboards) },
    { Sid = "ReadDeployments", Action = ["codedeploy:BatchGetDeployments", "codedeploy:Get*", "codedeploy:ListDeployments", "codedeploy:ListTagsForResource"], Resource = concat(local.made.deployed, local.made.configs, local.predefined) },
    { Sid = "ReadApis", Action = ["apigateway:GET"], Resource = local.made.apis },
    { Sid = "ReadStacks", Action = ["cloudformation:DescribeStacks", "cloudformation:GetTemplate"], Resource = local.made.stacks },
    { Sid = "ReadLoadBalancers", Action = ["elasticloadbalancing:Describe*"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "ReadImages", Action = ["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:GetRepositoryPolicy", "ecr:ListTagsForResource"], Resource = local.made.images },
    { Sid = "ReadScaling", Action = ["application-autoscaling:Describe*", "application-autoscaling:ListTagsForResource"], Resource = ["*"] },
    # Without it, environment variables under a key of one's own would seem to be gone.
    { Sid = "ReadVariables", Action = ["kms:Decrypt"], Resource = local.keys, Condition = local.through_lambda },
    { Sid = "List", Action = ["lambda:GetAccountSettings", "lambda:ListEventSourceMappings", "logs:DescribeLogGroups", "tag:GetResources"], Resource = ["*"] }, # AWS takes no narrower one
  ]

  may_deploy = [
    { Sid = "WriteState", Action = ["s3:PutObject"], Resource = ["${local.state}*"] },
    { Sid = "FreeStateLock", Action = ["s3:DeleteObject"], Resource = ["${local.state}*.tflock"] },
    { Sid = "Metrics", Action = ["cloudwatch:GetMetricData"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "Record", Action = ["s3:PutObject"], Resource = [for folder in ["releases", "stacks"] : "${local.arns.buckets.artifacts}/${folder}/*"] },
    { Sid = "Forget", Action = ["s3:DeleteObject"], Resource = ["${local.arns.buckets.artifacts}/stacks/*"] },
    { Sid = "Functions", Resource = local.made.functions, Action = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:CreateFunctionUrlConfig", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionCodeSigningConfig", "lambda:DeleteFunctionConcurrency", "lambda:DeleteFunctionEventInvokeConfig", "lambda:DeleteFunctionUrlConfig",
      "lambda:DeleteProvisionedConcurrencyConfig", "lambda:InvokeFunction", "lambda:PublishVersion", "lambda:PutFunctionCodeSigningConfig",
      "lambda:PutFunctionConcurrency", "lambda:PutFunctionEventInvokeConfig", "lambda:PutProvisionedConcurrencyConfig",
      "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias", "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionEventInvokeConfig", "lambda:UpdateFunctionUrlConfig",
    ] },
    { Sid = "Layers", Action = ["lambda:DeleteLayerVersion", "lambda:PublishLayerVersion"], Resource = local.made.layers },
    { Sid = "Variables", Action = ["kms:CreateGrant", "kms:Encrypt"], Resource = local.keys, Condition = local.through_lambda },
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, AWS takes no narrower one
    { Sid = "Networks", Action = ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs", "elasticfilesystem:DescribeMountTargets"], Resource = ["*"] },
    {
      Sid = "Scaling"
      Action = [
        "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeleteScheduledAction", "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:PutScalingPolicy", "application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget",
      ]
      Resource  = local.made.scaled
      Condition = { StringEquals = { "application-autoscaling:service-namespace" = "lambda" } }
    },
    { Sid = "ScalingTags", Action = ["application-autoscaling:TagResource", "application-autoscaling:UntagResource"], Resource = local.made.scaled },
    {
      Sid       = "ScalingRole" # of the service itself, once in an account
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/lambda.application-autoscaling.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "lambda.application-autoscaling.amazonaws.com" } }
    },
    { Sid = "Images", Resource = local.made.images, Action = [
      "ecr:BatchDeleteImage", "ecr:DeleteLifecyclePolicy", "ecr:DeleteRepository", "ecr:DeleteRepositoryPolicy", "ecr:ListImages",
      "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy", "ecr:UntagResource",
    ] },
    {
      Sid       = "Mappings"
      Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
      Resource  = ["*"] # Create has no ARN yet
      Condition = { ArnLike = { "lambda:FunctionArn" = local.made.functions } }
    },
    { Sid = "MappingTags", Action = ["lambda:TagResource", "lambda:UntagResource"], Resource = local.made.mappings },
    { Sid = "Queues", Action = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"], Resource = local.made.queues },
    { Sid = "Topics", Action = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:TagResource", "sns:UntagResource"], Resource = local.made.topics },
    {
      Sid       = "NewSubscriptions" # to topics that are others', too
      Action    = ["sns:Subscribe"]
      Resource  = ["*"]
      Condition = { StringEquals = { "sns:Protocol" = "lambda" }, StringLike = { "sns:Endpoint" = local.made.functions } }
    },
    { Sid = "Subscriptions", Action = ["sns:SetSubscriptionAttributes", "sns:Unsubscribe"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "Rules", Action = ["events:DeleteRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"], Resource = local.made.rules },
    { Sid = "Schedules", Action = [for action in ["CreateSchedule", "CreateScheduleGroup", "DeleteSchedule", "DeleteScheduleGroup", "TagResource", "UntagResource", "UpdateSchedule"] : "scheduler:${action}"], Resource = local.made.schedules },
    { Sid = "Streams", Action = ["kinesis:AddTagsToStream", "kinesis:CreateStream", "kinesis:DeleteStream", "kinesis:IncreaseStreamRetentionPeriod", "kinesis:RemoveTagsFromStream", "kinesis:StartStreamEncryption"], Resource = local.made.streams },
    { Sid = "Tables", Action = ["dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable"], Resource = local.made.tables },
    { Sid = "StreamLimits", Action = ["kinesis:DescribeLimits"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "Buckets", Action = ["s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"], Resource = local.made.buckets },
    { Sid = "Notifications", Action = ["s3:PutBucketNotification"], Resource = ["arn:${local.partition}:s3:::*"], Condition = local.in_this_account }, # of buckets that are there already
    {
      Sid      = "NeitherStateNorArtifacts" # whose names begin like those of triggers' buckets
      Effect   = "Deny"
      Action   = ["s3:CreateBucket", "s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"]
      Resource = values(local.arns.buckets)
    },
    { Sid = "Alarms", Action = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"], Resource = local.made.alarms },
    { Sid = "Dashboards", Action = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"], Resource = local.made.dashboards },
    { Sid = "Deployments", Resource = local.made.deployed, Action = [
      "codedeploy:CreateApplication", "codedeploy:CreateDeployment", "codedeploy:CreateDeploymentGroup", "codedeploy:DeleteApplication", "codedeploy:DeleteDeploymentGroup",
      "codedeploy:RegisterApplicationRevision", "codedeploy:TagResource", "codedeploy:UntagResource", "codedeploy:UpdateApplication", "codedeploy:UpdateDeploymentGroup",
    ] },
    { Sid = "DeploymentConfigs", Action = ["codedeploy:CreateDeploymentConfig", "codedeploy:DeleteDeploymentConfig"], Resource = local.made.configs },
    { Sid = "RunningDeployments", Action = ["codedeploy:BatchGetDeploymentTargets", "codedeploy:ListDeploymentTargets", "codedeploy:StopDeployment"], Resource = ["*"] }, # AWS takes no narrower one
    { Sid = "LogGroups", Action = ["logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource"], Resource = local.made.log_groups },
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    { Sid = "AccessLogs", Action = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"], Resource = ["*"] },
    { Sid = "Apis", Action = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource", "apigateway:UntagResource"], Resource = local.made.apis },
    {
      Sid       = "DomainsRole" # of the service itself, once in an account
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/aws-service-role/ops.apigateway.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "ops.apigateway.amazonaws.com" } }
    },
    { Sid = "Stacks", Action = ["cloudformation:CreateStack", "cloudformation:DeleteStack", "cloudformation:DescribeStackEvents", "cloudformation:TagResource", "cloudformation:UntagResource", "cloudformation:UpdateStack"], Resource = local.made.stacks },
    { Sid = "TargetGroups", Resource = local.made.balancing.groups, Action = [
      "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeregisterTargets",
      "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RegisterTargets", "elasticloadbalancing:RemoveTags",
    ] },
    { Sid = "NewRules", Action = ["elasticloadbalancing:CreateRule"], Resource = local.made.balancing.listeners },
    {
      Sid       = "TagsOfNewRules"
      Action    = ["elasticloadbalancing:AddTags"]
      Resource  = local.made.balancing.rules
      Condition = { StringEquals = { "elasticloadbalancing:CreateAction" = "CreateRule" } }
    },
    {
      Sid       = "RulesOfItsOwn" # listeners have rules of others
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetRulePriorities"]
      Resource  = local.made.balancing.rules
      Condition = { StringEquals = { "aws:ResourceTag/slipway" = var.name, "aws:ResourceTag/env" = var.env } }
    },
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
      Sid       = "SchedulesRolesToScheduler"
      Action    = ["iam:PassRole"]
      Resource  = ["arn:${local.partition}:iam::${var.account_id}:role/${local.prefix}-*.schedule"]
      Condition = { StringEquals = { "iam:PassedToService" = "scheduler.amazonaws.com" } }
    },
    {
      Sid       = "DeploymentsRolesToCodeDeploy"
      Action    = ["iam:PassRole"]
      Resource  = local.codedeploys_roles
      Condition = { StringEquals = { "iam:PassedToService" = "codedeploy.amazonaws.com" } }
    },
    {
      Sid       = "AndToNobodyElse" # the boundary lets them move aliases
      Effect    = "Deny"
      Action    = ["iam:PassRole"]
      Resource  = local.codedeploys_roles
      Condition = { StringNotEquals = { "iam:PassedToService" = "codedeploy.amazonaws.com" } }
    },
    {
      Sid      = "NotItself" # <prefix>-* also begins the names of an env called <env>-something
      Effect   = "Deny"
      Action   = ["iam:*"]
      Resource = concat([local.arns.boundary], flatten([for role in ["plan", "deploy"] : [for kind in ["role", "policy"] : "arn:${local.partition}:iam::${var.account_id}:${kind}/${var.name}-*.${role}*"]]))
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
  # checkov:skip=CKV_AWS_393: sub is the repository and the environment, and nothing else is taken
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

resource "aws_iam_policy" "github" {
  for_each = local.policies

  name        = "${local.prefix}.${each.key}"
  description = "A part of what workflows of ${var.github.repository} may do"
  policy      = each.value.document

  lifecycle {
    precondition {
      condition     = length(each.value.document) <= 6144 # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
      error_message = "A policy may have 6144 characters, got ${length(each.value.document)} in ${each.key}: put fewer statements into each."
    }
  }
}

resource "aws_iam_role_policy_attachment" "github" {
  for_each = local.policies

  role       = aws_iam_role.github[each.value.role].name
  policy_arn = aws_iam_policy.github[each.key].arn
}
