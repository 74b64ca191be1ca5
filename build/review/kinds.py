"""What kinds of resources are called, what is lost with one, and what stands still while it is made anew."""

from dataclasses import dataclass

from build.review.plans import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of resource."""

    word: str
    lost: tuple[str, ...] = ()
    """What nothing brings back once it is destroyed."""
    rule: str = "destroyed"
    """The reason that destroying one gives: ``data-lost``, ``versions-lost``, ``address-lost`` or ``destroyed``."""
    gap: str = ""
    """What fails while it is made anew."""


def _data(word: str, *lost: str, gap: str = "") -> Kind:
    return Kind(word=word, lost=lost, rule="data-lost", gap=gap)


def _address(word: str, *lost: str, gap: str = "") -> Kind:
    return Kind(word=word, lost=lost, rule="address-lost", gap=gap)


_KINDS = {
    "aws_apigatewayv2_api": _address("HTTP API", "its URL", gap="callers that know the old URL get errors"),
    "aws_apigatewayv2_api_mapping": Kind(word="mapping of a domain", gap="requests to the domain fail"),
    "aws_apigatewayv2_authorizer": Kind(word="authorizer", gap="requests to its routes are refused"),
    "aws_apigatewayv2_domain_name": Kind(word="domain of the HTTP API", gap="requests to the domain fail"),
    "aws_apigatewayv2_integration": Kind(word="integration"),
    "aws_apigatewayv2_route": Kind(word="route", gap="requests to it get 404"),
    "aws_apigatewayv2_stage": Kind(word="stage of the HTTP API", gap="requests to the API fail"),
    "aws_appautoscaling_policy": Kind(word="scaling policy"),
    "aws_appautoscaling_scheduled_action": Kind(word="scaling schedule"),
    "aws_appautoscaling_target": Kind(word="scaling"),
    "aws_cloudformation_stack": Kind(word="CloudFormation stack"),
    "aws_cloudwatch_dashboard": Kind(word="dashboard"),
    "aws_cloudwatch_event_archive": _data("event archive", "the events in it"),
    "aws_cloudwatch_event_bus": Kind(word="event bus", gap="events sent to it are refused"),
    "aws_cloudwatch_event_rule": Kind(word="event rule", gap="events of that time are not delivered"),
    "aws_cloudwatch_event_target": Kind(word="target of an event rule"),
    "aws_cloudwatch_log_group": _data("log group", "every line logged so far"),
    "aws_cloudwatch_metric_alarm": Kind(word="alarm"),
    "aws_cognito_user_pool": _data("user pool", "its users", gap="nobody can sign in"),
    "aws_db_instance": _data("database", "its data", gap="queries fail"),
    "aws_codedeploy_app": Kind(word="application of CodeDeploy"),
    "aws_codedeploy_deployment_config": Kind(word="deployment configuration"),
    "aws_codedeploy_deployment_group": Kind(word="deployment group", gap="CodeDeploy shifts no callers"),
    "aws_dynamodb_table": _data("DynamoDB table", "its items", "the records of its stream", gap="calls to it fail"),
    "aws_dynamodb_table_item": _data("item of a DynamoDB table", "the item"),
    "aws_ecr_lifecycle_policy": Kind(word="lifecycle policy of images"),
    "aws_ecr_repository": _data("ECR repository", "its images, and with them every rollback"),
    "aws_ecr_repository_policy": Kind(word="policy of an ECR repository"),
    "aws_efs_file_system": _data("file system", "its files", gap="functions that mount it do not start"),
    "aws_iam_openid_connect_provider": Kind(word="identity provider", gap="nobody can sign in by it"),
    "aws_iam_policy": Kind(word="IAM policy"),
    "aws_iam_role": Kind(word="role", gap="whoever runs as it gets no credentials"),
    "aws_iam_role_policy": Kind(word="policy of a role"),
    "aws_iam_role_policy_attachment": Kind(word="attached policy"),
    "aws_kinesis_stream": _data("Kinesis stream", "the records in it", "its ARN", gap="puts to it fail"),
    "aws_kms_key": _data("KMS key", "everything encrypted with it, after the waiting period"),
    "aws_lambda_alias": Kind(
        word="alias",
        lost=("the name that callers and triggers invoke",),
        rule="versions-lost",
        gap="invokes of it fail",
    ),
    "aws_lambda_event_source_mapping": Kind(word="event source mapping", gap="nothing is read from its source"),
    "aws_lambda_function": Kind(
        word="function",
        lost=("its published versions, and with them every rollback", "the address of its URL, if it has one"),
        rule="versions-lost",
        gap="invokes of it fail",
    ),
    "aws_lambda_function_event_invoke_config": Kind(word="asynchronous settings"),
    "aws_lambda_function_url": _address("function URL", "the URL", gap="requests to the URL fail"),
    "aws_lambda_layer_version": Kind(
        word="layer version",
        lost=("this version: nothing can be published with it again",),
        rule="versions-lost",
    ),
    "aws_lambda_permission": Kind(word="permission to invoke", gap="invokes by it are refused"),
    "aws_lambda_provisioned_concurrency_config": Kind(word="provisioned concurrency"),
    "aws_lb_listener_rule": Kind(word="listener rule", gap="requests that it matches go elsewhere"),
    "aws_lb_target_group": Kind(word="target group"),
    "aws_lb_target_group_attachment": Kind(word="target", gap="requests to its load balancer fail"),
    "aws_rds_cluster": _data("database cluster", "its data", gap="queries fail"),
    "aws_s3_bucket": _data("bucket", "its objects: AWS refuses while it holds any, unless force_destroy is set"),
    "aws_s3_bucket_lifecycle_configuration": Kind(word="lifecycle of a bucket"),
    "aws_s3_bucket_notification": Kind(word="notifications of a bucket", gap="events of that time are not delivered"),
    "aws_s3_bucket_ownership_controls": Kind(word="ownership of a bucket's objects"),
    "aws_s3_bucket_policy": Kind(word="policy of a bucket"),
    "aws_s3_bucket_public_access_block": Kind(word="public access block of a bucket"),
    "aws_s3_bucket_server_side_encryption_configuration": Kind(word="encryption of a bucket"),
    "aws_s3_bucket_versioning": Kind(word="versioning of a bucket"),
    "aws_s3_object": _data("S3 object", "the object"),
    "aws_scheduler_schedule": Kind(word="schedule", gap="what was due in that time does not run"),
    "aws_scheduler_schedule_group": Kind(word="group of schedules"),
    "aws_secretsmanager_secret": _data("secret", "its values", gap="whoever reads it gets errors"),
    "aws_sfn_state_machine": _data("state machine", "its running executions and their history"),
    "aws_sns_topic": _address("topic", "its ARN", "subscriptions made elsewhere", gap="publishing to it fails"),
    "aws_sns_topic_policy": Kind(word="policy of a topic"),
    "aws_sns_topic_subscription": Kind(word="subscription", gap="messages of that time are not delivered"),
    "aws_sqs_queue": _data("queue", "the messages in it", "its URL", gap="sending to it fails"),
    "aws_sqs_queue_policy": Kind(word="policy of a queue"),
    "terraform_data": Kind(word="mark of Terraform's own"),
    "aws_ssm_parameter": _data("parameter", "its value and history", gap="whoever reads it gets errors"),
}


_NAMED_BY = {
    "aws_lambda_alias": "name",
    "aws_lambda_event_source_mapping": "event_source_arn",
    "aws_lambda_permission": "statement_id",
}


def kind_of(row: Row) -> Kind:
    """Return what ``row`` is; of a type nobody described, its Terraform name."""
    return _KINDS.get(row.type) or Kind(word=row.type)


def name_of(row: Row) -> str:
    """Return what ``row`` is called on AWS, as far as the plan says it."""
    names: tuple[str, ...] = (
        "function_name",
        "name",
        "bucket",
        "route_key",
        "alarm_name",
        "dashboard_name",
        "layer_name",
        "identifier",
    )
    own = _NAMED_BY.get(row.type)
    for attribute in (own,) if own else names:
        value = row.before.get(attribute) or row.after.get(attribute)
        if isinstance(value, str) and not value.startswith("("):
            return value.rpartition(":")[2] if attribute.endswith("_arn") else value
    return ""


def keeps_what_it_destroys(row: Row) -> bool:
    """Tell whether AWS keeps what Terraform drops: ``skip_destroy``, as layer versions have it."""
    return row.before.get("skip_destroy") is True or row.before.get("prevent_deletion") is True


def rule_of(word: str) -> str:
    """Return the rule that destroying a thing of the kind called ``word`` breaks."""
    return _RULES.get(word, "destroyed")


_RULES = {kind.word: kind.rule for kind in _KINDS.values()}
