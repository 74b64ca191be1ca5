"""Each mend twice: plain moto still has the defect (else the mend is to go), and mended moto has not."""

import base64
import gc
import hashlib
import io
import json
import threading
import time
import weakref
import zipfile
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from build.local import mends

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"


def still_broken(broken, mend):
    assert broken, f"moto fixed this: delete the mend {mend}"


@pytest.fixture(scope="module")
def endpoint():
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=[False, True], ids=["plain", "mended"])
def is_mended(request):
    if request.param:
        with mends.installed():
            yield True
    else:
        yield False


@pytest.fixture
def client(endpoint, is_mended):
    """Give boto3 clients of an empty cloud."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=10).close()

    def make(service):
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    return make


def code():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return buffer.getvalue()


@pytest.fixture
def function(client):
    """Give a function that makes one, and returns Lambda's client."""
    role = client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = client("lambda")

    def make(**settings):
        zipped = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code()}}
        functions.create_function(FunctionName="orders", Role=role, **{**zipped, **settings})
        return functions

    return make


def test_logging_config_is_given_back(function, is_mended):
    wanted = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "LogGroup": "/aws/lambda/elsewhere"}
    functions = function(LoggingConfig=wanted, Publish=True)
    got = [
        functions.get_function(FunctionName="orders")["Configuration"].get("LoggingConfig"),
        functions.get_function_configuration(FunctionName="orders", Qualifier="1").get("LoggingConfig"),
    ]
    if is_mended:
        assert got == [wanted, wanted]
    else:
        still_broken(got != [wanted, wanted], "keep_whole_configuration")


def test_a_function_without_logging_config_has_the_default_one(function, is_mended):
    got = function().get_function_configuration(FunctionName="orders").get("LoggingConfig")
    default = {"LogFormat": "Text", "LogGroup": "/aws/lambda/orders"}
    if is_mended:
        assert got == default
    else:
        still_broken(got != default, "keep_whole_configuration")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EphemeralStorage", {"Size": 1024}),
        ("LoggingConfig", {"LogFormat": "JSON", "LogGroup": "/aws/lambda/orders"}),
        ("TracingConfig", {"Mode": "Active"}),
        ("KMSKeyArn", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"),
    ],
)
def test_every_setting_can_be_updated(function, is_mended, name, value):
    functions = function()
    functions.update_function_configuration(FunctionName="orders", **{name: value})
    got = functions.get_function_configuration(FunctionName="orders").get(name)
    if is_mended:
        assert got == value
    else:
        still_broken(got != value, "update_whole_configuration")


def test_the_architecture_can_be_updated(function, is_mended):
    functions = function(Architectures=["x86_64"])
    functions.update_function_code(FunctionName="orders", ZipFile=code(), Architectures=["arm64"])
    got = functions.get_function_configuration(FunctionName="orders")["Architectures"]
    if is_mended:
        assert got == ["arm64"]
    else:
        still_broken(got != ["arm64"], "update_whole_configuration")


def test_a_function_that_is_switched_off_says_so(function, is_mended):
    functions = function()
    functions.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    got = functions.get_function(FunctionName="orders").get("Concurrency")
    if is_mended:
        assert got == {"ReservedConcurrentExecutions": 0}
    else:
        still_broken(got != {"ReservedConcurrentExecutions": 0}, "tell_of_no_concurrency")


def test_an_image_function_without_image_config_has_none(function, is_mended):
    image = {
        "PackageType": "Image",
        "Code": {"ImageUri": "repository@sha256:0"},
        "Runtime": "python3.13",
        "Handler": "x",
    }
    functions = function(**image)
    got = functions.get_function_configuration(FunctionName="orders").get("ImageConfigResponse")
    if is_mended:
        assert got is None
        functions.update_function_configuration(FunctionName="orders", ImageConfig={"Command": ["app.handler"]})
        got = functions.get_function_configuration(FunctionName="orders")["ImageConfigResponse"]
        assert got["ImageConfig"]["Command"] == ["app.handler"]
    else:
        still_broken(got is not None, "omit_empty_image_config")


def test_an_image_is_known_by_its_digest_and_stays_with_its_version(function, is_mended):
    first, second = (f"123456789012.dkr.ecr.us-east-1.amazonaws.com/orders@sha256:{digit * 64}" for digit in "12")
    functions = function(PackageType="Image", Code={"ImageUri": first})
    functions.publish_version(FunctionName="orders")
    functions.update_function_code(FunctionName="orders", ImageUri=second)
    latest = functions.get_function(FunctionName="orders")
    published = functions.get_function(FunctionName="orders", Qualifier="1")
    sha256 = latest["Configuration"]["CodeSha256"]
    if is_mended:
        assert sha256 == "2" * 64
        assert latest["Code"]["ResolvedImageUri"] == second
        assert published["Code"]["ImageUri"] == first
    else:
        still_broken(sha256 != "2" * 64, "tell_images_apart")
        still_broken(latest["Code"]["ResolvedImageUri"] != second, "tell_images_apart")
        still_broken(published["Code"]["ImageUri"] != first, "tell_images_apart")


def test_a_function_keeps_layers_that_were_deleted(function, is_mended, client):
    from moto.awslambda.models import lambda_backends

    functions = client("lambda")
    content = code()  # a zip tells when it was made
    layer = functions.publish_layer_version(LayerName="data", Content={"ZipFile": content})
    function(Layers=[layer["LayerVersionArn"]], Publish=True)
    functions.delete_layer_version(LayerName="data", VersionNumber=1)
    version = lambda_backends[ACCOUNT]["us-east-1"].get_function("orders", "1")
    if is_mended:
        assert [kept.code_bytes for kept in version.layer_versions] == [content]
    else:
        backend = lambda_backends[ACCOUNT]["us-east-1"]
        still_broken(backend.layers_versions_by_arn(layer["LayerVersionArn"]) is None, "keep_layers_of_functions")


def test_version_numbers_are_never_used_again(function, is_mended):
    functions = function(Publish=True)
    for memory in (256, 512):
        functions.update_function_configuration(FunctionName="orders", MemorySize=memory)
        functions.publish_version(FunctionName="orders")
    functions.delete_function(FunctionName="orders", Qualifier="1")
    functions.update_function_configuration(FunctionName="orders", MemorySize=1024)
    number = functions.publish_version(FunctionName="orders")["Version"]
    if not is_mended:
        still_broken(number != "4", "never_reuse_version_numbers")
        return
    assert number == "4"
    functions.delete_function(FunctionName="orders", Qualifier="4")
    functions.update_function_configuration(FunctionName="orders", MemorySize=2048)
    assert functions.publish_version(FunctionName="orders")["Version"] == "5"
    versions = functions.list_versions_by_function(FunctionName="orders")["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "2", "3", "5"]
    assert [version["MemorySize"] for version in versions] == [2048, 256, 512, 2048]
    functions.delete_function(FunctionName="orders")
    assert function(Publish=True).list_versions_by_function(FunctionName="orders")["Versions"][-1]["Version"] == "6"


def test_publishing_what_is_published_gives_the_same_version(function, is_mended):
    functions = function()
    functions.update_function_configuration(FunctionName="orders", MemorySize=256)
    numbers = [functions.publish_version(FunctionName="orders")["Version"] for _ in range(2)]
    if is_mended:
        assert numbers == ["1", "1"]
    else:
        still_broken(numbers != ["1", "1"], "never_reuse_version_numbers")


def test_other_code_than_was_meant_is_not_published(function, is_mended):
    functions = function()
    told = functions.get_function_configuration(FunctionName="orders")["CodeSha256"]
    assert functions.publish_version(FunctionName="orders", CodeSha256=told)["Version"] == "1"
    functions.update_function_configuration(FunctionName="orders", MemorySize=512)
    other = {"FunctionName": "orders", "CodeSha256": "A" * 43 + "="}
    if not is_mended:
        still_broken(functions.publish_version(**other)["Version"] == "2", "publish_only_what_was_meant")
        return
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="different from current CodeSHA256"):
        functions.publish_version(**other)


def test_an_event_source_mapping_names_the_alias_it_was_made_for(function, is_mended, client):
    functions = function(Publish=True)
    functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    alias = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders:live"
    client("sqs").create_queue(QueueName="orders")
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"
    made = functions.create_event_source_mapping(EventSourceArn=queue, FunctionName=alias)
    got = functions.get_event_source_mapping(UUID=made["UUID"])["FunctionArn"]
    if not is_mended:
        still_broken(got != alias, "name_alias_in_mappings")
        return
    assert made["FunctionArn"] == got == alias
    changed = functions.update_event_source_mapping(UUID=made["UUID"], FunctionName="orders", BatchSize=3)
    assert changed["FunctionArn"] == alias.removesuffix(":live")
    changed = functions.update_event_source_mapping(UUID=made["UUID"], FunctionName="orders:live")
    assert changed["FunctionArn"] == alias
    assert changed["BatchSize"] == 3


def test_a_redrive_policy_comes_back_as_terraform_writes_it(client, is_mended):
    sqs = client("sqs")
    sqs.create_queue(QueueName="dead")
    policy = json.dumps(
        {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead", "maxReceiveCount": 5}, separators=(",", ":")
    )
    url = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["RedrivePolicy"]
    if is_mended:
        assert got == policy
    else:
        still_broken(got != policy, "write_redrive_policy_compactly")


def test_a_queue_says_who_may_give_messages_up_to_it(client, is_mended):
    sqs = client("sqs")
    policy = json.dumps(
        {"redrivePermission": "byQueue", "sourceQueueArns": [f"arn:aws:sqs:us-east-1:{ACCOUNT}:orders"]}
    )
    url = sqs.create_queue(QueueName="dead", Attributes={"RedriveAllowPolicy": policy})["QueueUrl"]

    def told():
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get("RedriveAllowPolicy")

    if not is_mended:
        still_broken(told() != policy, "keep_policies_of_queues")
        return
    assert told() == policy
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "40"})
    assert told() == policy
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": ""})
    assert told() is None


def test_a_queue_keeps_its_policy_when_something_else_changes(client, is_mended):
    sqs = client("sqs")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName="dead", Attributes={"Policy": policy})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "40"})
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get("Policy")
    if is_mended:
        assert got == policy
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        assert "Policy" not in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    else:
        still_broken(got != policy, "keep_policies_of_queues")


class LateList(list[Any]):
    """Messages; whoever has walked over all of them meets another thread that sends one more."""

    def __init__(self, messages, sender):
        super().__init__(messages)
        self._sender = sender

    def __iter__(self):
        yield from super().__iter__()
        if threading.current_thread() is threading.main_thread():
            self._sender.start()
            self._sender.join(0.3)


def test_a_message_sent_while_another_is_deleted_is_not_lost(client, is_mended):
    from moto.sqs.models import Message, sqs_backends

    backend = sqs_backends[ACCOUNT]["us-east-1"]
    queue = backend.create_queue("orders")
    backend.send_message("orders", "first")
    [received] = backend.receive_message("orders", 1, 0, 30)
    sender = threading.Thread(target=queue.add_message, args=(Message("id", "second"),))
    queue._messages = LateList(queue._messages, sender)
    queue.delete_message(received.receipt_handle)
    sender.join()
    bodies = [message.body for message in queue._messages]
    if is_mended:
        assert bodies == ["second"]
    else:
        still_broken(bodies != ["second"], "lock_queues")


def test_a_given_checksum_is_kept(client, is_mended):
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    digest = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    s3.put_object(Bucket="bucket", Key="key", Body=b"data", ChecksumSHA256=digest)
    got = s3.head_object(Bucket="bucket", Key="key", ChecksumMode="ENABLED").get("ChecksumSHA256")
    if is_mended:
        assert got == digest
    else:
        still_broken(got != digest, "keep_given_checksums")


def test_a_wrong_checksum_is_refused(client, is_mended):
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    digest = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    code = None
    try:
        s3.put_object(Bucket="bucket", Key="key", Body=b"data", ChecksumSHA256=digest)
    except ClientError as refused:
        code = refused.response["Error"]["Code"]
    if is_mended:
        assert code == "BadDigest"
        assert "Contents" not in s3.list_objects_v2(Bucket="bucket")
    else:
        still_broken(code != "BadDigest", "keep_given_checksums")


def test_a_computed_checksum_is_kept_as_before(client, is_mended):
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"data", ChecksumAlgorithm="SHA256")
    digest = base64.b64encode(hashlib.sha256(b"data").digest()).decode()
    assert s3.head_object(Bucket="bucket", Key="key", ChecksumMode="ENABLED")["ChecksumSHA256"] == digest


def test_a_bucket_that_denies_plain_http_can_be_used(client, is_mended):
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"}
    plain_http = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    codes: list[int | None] = []
    for statement in (plain_http, deny):
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="bucket", Policy=json.dumps(policy))
        try:
            s3.put_object(Bucket="bucket", Key="key", Body=b"data")
            codes.append(None)
        except ClientError as refused:
            codes.append(refused.response["ResponseMetadata"]["HTTPStatusCode"])
    if is_mended:
        assert codes == [None, 403]
    else:
        still_broken(codes == [403, 403], "take_requests_as_tls")


def test_of_two_conditional_puts_at_once_one_wins(client, is_mended, monkeypatch):
    from moto.s3.models import S3Backend

    original = S3Backend.put_object

    def slowly(*arguments, **named):
        time.sleep(0.3)
        return original(*arguments, **named)

    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    monkeypatch.setattr(S3Backend, "put_object", slowly)
    results = []

    def put():
        try:
            s3.put_object(Bucket="bucket", Key="lock", Body=b"mine", IfNoneMatch="*")
            results.append("won")
        except ClientError as refused:
            results.append(refused.response["Error"]["Code"])

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if is_mended:
        assert sorted(results) == ["PreconditionFailed", "won"]
    else:
        still_broken(results == ["won", "won"], "put_conditionally_in_one_step")


def test_with_a_function_no_log_groups_are_copied(client, is_mended):
    import copy

    from moto.logs.models import logs_backends

    backend = logs_backends[ACCOUNT]["us-east-1"]
    if is_mended:
        assert copy.deepcopy(backend) is backend
    else:
        still_broken(copy.deepcopy(backend) is not backend, "copy_no_backends")


def test_an_object_that_is_written_over_is_read_to_its_end(client, is_mended):
    from moto.s3.models import s3_backends

    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="lease", Body=b"old")
    being_read = s3_backends[ACCOUNT]["aws"].get_object("bucket", "lease")
    s3.put_object(Bucket="bucket", Key="lease", Body=b"new")
    try:
        value = being_read.value
    except ValueError:
        value = None
    if is_mended:
        assert value == b"old"
    else:
        still_broken(value is None, "let_objects_be_read_to_their_end")


def test_an_object_that_is_deleted_is_let_go_of(client, is_mended):
    from moto.s3.models import s3_backends

    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="artifact", Body=b"PK")
    held = weakref.ref(s3_backends[ACCOUNT]["aws"].get_object("bucket", "artifact"))
    s3.delete_object(Bucket="bucket", Key="artifact")
    gc.collect()
    if is_mended:
        assert held() is None
    else:
        still_broken(held() is not None, "let_go_of_what_is_gone")


def test_without_mends_moto_cannot_run_code_without_docker(function, is_mended):
    # `mends.invoking` replaces this; test_local_cloud.py shows that it works.
    if is_mended:
        pytest.skip("invoking needs a whole cloud")
    answer = function().invoke(FunctionName="orders", Payload=b'"x"')
    still_broken(answer.get("FunctionError") or answer["Payload"].read() != b'"x"', "invoking")


def test_moto_is_as_it_was_after_the_mends_are_taken_away():
    from moto.apigatewayv2.responses import ApiGatewayV2Response
    from moto.awslambda.models import LambdaFunction
    from moto.awslambda.urls import url_paths
    from moto.sqs.models import Queue

    def seen():
        changed = LambdaFunction.get_configuration, LambdaFunction.__init__, Queue.attributes, Queue.BASE_ATTRIBUTES
        return (*changed, hasattr(ApiGatewayV2Response, "update_stage"), list(url_paths))

    before = seen()
    with mends.installed():
        assert all(now != then for now, then in zip(seen(), before, strict=True))
    assert seen() == before
