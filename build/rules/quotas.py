"""Every number and name list of AWS that Slipway checks, once, below the page it comes from.

Ranges are inclusive (lowest, highest) pairs.
"""

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MEMORY_MB = (128, 10_240)
TIMEOUT_S = (1, 900)
EPHEMERAL_STORAGE_MB = (512, 10_240)
UNZIPPED_BYTES = 262_144_000
"""A function's zip and its layers together, unzipped."""
LAYERS = 5
"""Of one function."""
ENVIRONMENT_BYTES = 4096
"""Names and values as compact JSON: a refusal quotes that text as what was measured."""
IMAGE_BYTES = 10 << 30
"""All layers of an image, unpacked. A MB is 1024 KB on that page."""

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
HANDLER_CHARS = 128
FUNCTION_NAME_CHARS = 64
DESCRIPTION_CHARS = 256

# https://docs.aws.amazon.com/lambda/latest/api/API_ImageConfig.html
IMAGE_WORDS = 1500
IMAGE_WORKDIR_CHARS = 1000

# https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
LAYER_NAME_CHARS = 140

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = frozenset(
    """
    _HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV
    AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION
    AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME
    AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
    AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR
    """.split()
)

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
BATCH_SIZE = (1, 10_000)
BATCH_WINDOW_S = (0, 300)
BATCH_SIZE_WITHOUT_WINDOW = 10
"""More needs a batching window of at least one second."""

# https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html
QUEUE_CONCURRENCY = (2, 1000)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
MAX_RECEIVE_COUNT = (1, 1000)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
QUEUE_NAME_CHARS = 80

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = tuple(
    map(int, "1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653".split())
)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
HTTP_METHODS = tuple("ANY DELETE GET HEAD OPTIONS PATCH POST PUT".split())

# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
HTTP_TIMEOUT_S = 30
"""After that an HTTP API answers 503 while the function still runs."""

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
ROLE_NAME_CHARS = 64
ROLE_POLICY_CHARS = 10_240
"""All inline policies of a role together, white space not counted."""

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_CHARS = (3, 63)
REPOSITORY_NAME_CHARS = 20
"""Ours: then the default artifact bucket, ``<name>-prod-artifacts-<12 digits>-ap-southeast-1``, has at most 63."""

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ASYNCHRONOUS_RETRIES = (0, 2)
ASYNCHRONOUS_AGE_S = (60, 21_600)

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
STREAM_RETRIES = (0, 10_000)
STREAM_AGE_S = (60, 604_800)
STREAM_PARALLEL = (1, 10)
FIFO_BATCH_SIZE = 10
FILTERS = 5
"""Of one event source mapping; 10 on request."""

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
TARGET_RETRIES = (0, 185)
TARGET_AGE_S = (60, 86_400)

# https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
SCHEDULE_NAME_CHARS = 64
RULE_NAME_CHARS = 64
FLEXIBLE_WINDOW_MIN = (1, 1440)

# https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
TARGET_GROUP_NAME_CHARS = 32
RULE_PRIORITY = (1, 50_000)
RULE_VALUES = 5
"""Of all conditions of one rule together."""

# https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
TOPIC_NAME_CHARS = 94
"""SNS takes 256, but ``topic-<name>`` is the id of a statement, of which Lambda takes 100."""

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
STREAM_NAME_CHARS = 128

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
TABLE_NAME_CHARS = 255

# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
# Lambda wants 10 to 90 percent: https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
TARGET_UTILISATION_PERCENT = (10, 90)

# https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
SNAP_START_FROM = 12
"""Minor version of Python."""
SNAP_START_STORAGE_MB = 512

# https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
SYSTEM_LOG_LEVELS = ("DEBUG", "INFO", "WARN")

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
SUBNETS = 16
SECURITY_GROUPS = 5

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MANAGED_POLICIES = 10
"""Of one role."""

# https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html
SHIFTING_MIN = 2880
"""Between the first and the last step of one deployment."""

# https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
TAGS = 50
TAG_KEY_CHARS = 128
TAG_VALUE_CHARS = 256
