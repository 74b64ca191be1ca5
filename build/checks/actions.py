"""The IAM actions that a call through boto3 needs, from the models that botocore and boto3 bring; nothing is asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.checks.clients import Call

Need = tuple[str, ...]
"""Actions of which one is enough, as which it is depends on what the call is given; mostly there is one."""

_PREFIXES = {
    "cloudcontrolapi": "cloudformation",
    "IoTSecuredTunneling": "iot",
    "awsssoportal": "sso",
    "iot-jobs-data": "iotjobsdata",
    "iotdata": "iot",
    "monitoring": "cloudwatch",
    "mturk-requester": "mechanicalturk",
    "tagging": "tag",
}
"""Where IAM's prefix is not the name that requests are signed with:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""
_PARTIQL = "PartiQLSelect|PartiQLInsert|PartiQLUpdate|PartiQLDelete"
_EXCEPTIONS = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
    "s3": {
        "CompleteMultipartUpload": "PutObject",
        "CopyObject": "GetObject PutObject",
        "CreateMultipartUpload": "PutObject",
        "DeleteObjects": "DeleteObject",
        "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "GetObjectAttributes": "GetObject GetObjectAttributes",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "HeadBucket": "ListBucket",
        "HeadObject": "GetObject",
        "ListBuckets": "ListAllMyBuckets",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListObjectVersions": "ListBucketVersions",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListParts": "ListMultipartUploadParts",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        "SelectObjectContent": "GetObject",
        "UploadPart": "PutObject",
        "UploadPartCopy": "GetObject PutObject",
        "GetBucketCors": "GetBucketCORS",
        **dict.fromkeys(("PutBucketCors", "DeleteBucketCors"), "PutBucketCORS"),
        "DeleteBucketTagging": "PutBucketTagging",
        **{
            f"{verb}Bucket{what}": f"{verb.replace('Delete', 'Put')}{what.removesuffix('Configuration')}Configuration"
            for what in ("AccelerateConfiguration", "Encryption", "Lifecycle", "LifecycleConfiguration", "Replication")
            for verb in ("Get", "Put", "Delete")
        },
    },
    # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html and its neighbours
    "lambda": {
        "GetLayerVersionByArn": "GetLayerVersion",
        **dict.fromkeys(("Invoke", "InvokeAsync", "InvokeWithResponseStream"), "InvokeFunction"),
    },
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html and
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
    "dynamodb": {
        "TransactGetItems": "GetItem",
        "TransactWriteItems": "PutItem|UpdateItem|DeleteItem|ConditionCheckItem",
        **dict.fromkeys(("BatchExecuteStatement", "ExecuteStatement", "ExecuteTransaction"), _PARTIQL),
        "DescribeEndpoints": "",
    },
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    "sqs": {
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
        "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
    },
    # https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
    "sns": {"PublishBatch": "Publish"},
    # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
    "secretsmanager": {"BatchGetSecretValue": "BatchGetSecretValue GetSecretValue"},
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html and API_GetSessionToken.html
    "sts": {"GetCallerIdentity": "", "GetSessionToken": ""},
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and its neighbours
    "bedrock": {"Converse": "InvokeModel", "ConverseStream": "InvokeModelWithResponseStream"},
    # https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
    "kms": {"ReEncrypt": "ReEncryptFrom ReEncryptTo"},
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudsearch.html
    "cloudsearch": {"Search": "search", "Suggest": "suggest", "UploadDocuments": "upload"},
}
"""Operations whose actions have other names, by prefix: all of those between spaces, any of those between ``|``."""

_BY_BOTO3 = {
    # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/s3-uploading-files.html and its neighbours
    "s3": {
        "copy": "CopyObject",
        **dict.fromkeys(("download_file", "download_fileobj"), "GetObject"),
        **dict.fromkeys(("upload_file", "upload_fileobj", "generate_presigned_post"), "PutObject"),
    },
    "dynamodb": {"batch_writer": "BatchWriteItem"},
    "ec2": {"create_tags": "CreateTags", "delete_tags": "DeleteTags"},
}
"""What boto3 adds to clients and resources, and the operation behind it."""
_OF_COLLECTIONS = frozenset("all filter limit page_size pages".split())


class Models:
    """What botocore and boto3 know of services."""

    def __init__(self) -> None:
        import boto3
        import botocore
        from botocore.loaders import Loader

        # Not the default places, among which are folders of the person who runs this.
        folders = [str(Path(package.__file__).parent / "data") for package in (botocore, boto3)]
        self._loader = Loader(extra_search_paths=folders, include_default_search_paths=False)

    def needs_of(self, call: Call) -> tuple[Need, ...] | None:
        """Return what ``call`` needs, nothing for what asks nothing; None if no model knows it."""
        names = self._of_resource(call) if call.is_resource else self._of_client(call)
        return None if names is None else tuple(need for name in names for need in self._needs(call.service, name))

    def _needs(self, service: str, operation: str) -> tuple[Need, ...]:
        model = self._read(service, "service-2")
        metadata, known = model["metadata"], model["operations"].get(operation, {})
        if known.get("authtype") == "none":  # as for signing up: nobody is asked who they are
            return ()
        if service == "apigatewaymanagementapi":
            # https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html
            return (("execute-api:ManageConnections",),)
        if service in ("apigateway", "apigatewayv2"):
            # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-create-and-manage-api.html
            return ((f"apigateway:{known['http']['method']}",),)
        name = metadata.get("signingName") or metadata["endpointPrefix"]
        prefix = _PREFIXES.get(name, name)
        actions = _EXCEPTIONS.get(prefix, {}).get(operation, operation)
        return tuple(tuple(f"{prefix}:{each}" for each in every.split("|")) for every in actions.split())

    def _of_client(self, call: Call) -> list[str] | None:
        if call.path[0] == "get_waiter" and len(call.path) > 1:
            return self._waited_for(call.service, call.path[1])
        operations = self._read(call.service, "service-2").get("operations", {})
        found = next((name for name in operations if _python_name(name) == call.path[0]), None)
        name = found or _BY_BOTO3.get(call.service, {}).get(call.path[0])
        return [name] if name else None

    def _of_resource(self, call: Call) -> list[str] | None:
        """Walk to what the last of the attributes asks for."""
        model = self._read(call.service, "resources-1")
        here: Mapping[str, Any] | None = model.get("service")
        names: list[str] = []
        for step in call.path:
            if here is None:
                return None
            here, names = self._step(call.service, here, model["resources"], step)
        return names if here is not None else None

    def _step(
        self, service: str, here: Mapping[str, Any], resources: Mapping[str, Any], step: str
    ) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return what an attribute of a resource or collection leads to, and the operations it asks for.

        What an answer holds is empty, as nothing is asked any more; what no model knows is None.
        """
        names: list[str] = []
        after: Mapping[str, Any] | None = {}
        if "request" in here:  # a collection
            listing, item = here["request"]["operation"], resources[here["resource"]["type"]]
            batch = _named(item.get("batchActions", {}), step)
            if batch or step in _OF_COLLECTIONS:
                return ({} if batch else here), [listing, *([batch["request"]["operation"]] if batch else [])]
            here = {**item, "load": None}  # listing has loaded it
        if action := _named(here.get("actions", {}), step):
            after, names = resources.get(action.get("resource", {}).get("type"), {}), [action["request"]["operation"]]
        elif "identifiers" not in here and step in resources and step not in here.get("has", {}):
            after = resources[step]  # a service has all of its resources, named or not
        elif other := _named(here.get("has", {}), step):
            after = resources[other["resource"]["type"]]
        elif many := _named(here.get("hasMany", {}), step):
            after = many
        elif waiter := _named(here.get("waiters", {}), step.removeprefix("wait_until_")):
            names = self._waited_for(service, _python_name(waiter["waiterName"])) or []
        elif step in _BY_BOTO3.get(service, {}):
            names = [_BY_BOTO3[service][step]]
        elif here:
            after, names = self._loaded(service, here, step)
        return after, names

    def _loaded(self, service: str, here: Mapping[str, Any], step: str) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Return the same for an attribute that holds data."""
        members = self._read(service, "service-2")["shapes"].get(here.get("shape"), {}).get("members", {})
        if step in {_python_name(each["name"]) for each in here.get("identifiers", ())}:
            return {}, []
        if step in ("load", "reload") or step in map(_python_name, members):
            return {}, [here["load"]["request"]["operation"]] if here.get("load") else []
        return None, []

    def _waited_for(self, service: str, waiter: str) -> list[str] | None:
        waiters = self._read(service, "waiters-2").get("waiters", {})
        found = next((each for name, each in waiters.items() if _python_name(name) == waiter), None)
        return [found["operation"]] if found else None

    def _read(self, service: str, kind: str) -> Mapping[str, Any]:
        """Return a model; an empty one if the service has none."""
        from botocore.exceptions import UnknownServiceError

        try:
            model: Mapping[str, Any] = self._loader.load_service_model(service, kind)  # which keeps what it read
        except UnknownServiceError:
            return {}
        return model


def _named(among: Mapping[str, Any], step: str) -> Any:
    """Return what Python calls ``step``."""
    return next((each for name, each in among.items() if step in (name, _python_name(name))), None)


def _python_name(name: str) -> str:
    from botocore import xform_name

    return str(xform_name(name))
