"""Every trigger and every setting at once, by the verbs: deployed, planned again, changed, and destroyed.

What AWS has already (a network, a file system, keys, a load balancer, sources to read) is made first, as others would.
The tests tell one story, from top to bottom: each starts where the one before ended.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterator
from string import Template
from typing import Any

import pytest

from tests.checkout import ROOT, Checkout, make_checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("everything")]

ACCOUNT = "123456789012"
APP = "def handler(event, context):\n    return event\n"

SLIPWAY = """
name = "slipway"
[defaults]
runtime = "python3.13"
[http_api.cors]
allow_origins = ["https://example.com"]
allow_methods = ["GET", "POST"]
allow_headers = ["content-type"]
expose_headers = ["x-order"]
allow_credentials = true
max_age_s = 600
[http_api.throttle]
rate_per_s = 100
burst = 200
[http_api.authorizers.staff]
issuer = "https://login.example.com/"
audience = ["shop"]
[http_api.authorizers.partners]
function = "guard"
identity = ["$$request.header.X-Partner"]
ttl_s = 300
[http_api.domain]
name = "api.example.com"
certificate_arn = "${certificate}"
path = "shop"
"""

EVERY = """
description = "Has everything"
memory_mb = 512
timeout_s = 30
ephemeral_storage_mb = 1024
reserved_concurrency = 20
log_retention_days = 14
managed_policies = ["AWSXRayDaemonWriteAccess", "${policy}"]
tracing = true
kms_key_arn = "${key}"
code_signing_config_arn = "${signing}"
log_level = "DEBUG"
system_log_level = "WARN"
[environment]
LEVEL = "high"
[secrets.PARAMETER]
arn = "${parameter}"
[secrets.TOKEN]
arn = "${secret}"
kms_key_arn = "${key}"
[network]
subnet_ids = ["${first_subnet}", "${second_subnet}"]
security_group_ids = ["${security_group}"]
ipv6 = true
[file_system]
arn = "${access_point}"
mount = "/mnt/data"
[asynchronous]
retries = 1
max_age_s = 3600
on_failure = "queue"
on_success = "${topic}"
[provisioned]
concurrency = 1
max = 5
target_percent = 60
[[provisioned.schedules]]
name = "day"
expression = "cron(0 8 ? * MON-FRI *)"
timezone = "Europe/Berlin"
min = 2
max = 5
[tags]
team = "shop"
[alarms]
errors = 2
throttles = 3
duration_percent = 80
dead_letters = 4
[[permissions]]
actions = ["dynamodb:PutItem"]
resources = ["arn:{partition}:dynamodb:{region}:{account}:table/orders"]
[[permissions]]
actions = ["sts:GetCallerIdentity"]
resources = ["*"]
reason = "this action knows no resource"
[[triggers.http]]
route = "GET /orders/{id}"
authorizer = "partners"
[[triggers.http]]
route = "POST /orders"
authorizer = "staff"
scopes = ["orders/write"]
throttle = { rate_per_s = 10, burst = 20 }
[triggers.url]
auth = "none"
reason = "Webhooks of the payment provider, which signs them"
streaming = true
[triggers.url.cors]
allow_origins = ["https://example.com"]
allow_methods = ["GET", "POST"]
allow_headers = ["content-type"]
expose_headers = ["x-order"]
allow_credentials = true
max_age_s = 600
[[triggers.queue]]
name = "incoming"
batch_size = 20
batch_window_s = 2
max_concurrency = 2
filters = [{ body = { kind = ["order"] } }]
[[triggers.queue]]
name = "parcels"
fifo = true
[[triggers.queue]]
name = "returns"
arn = "${queue}"
enabled = false
[[triggers.topic]]
name = "prices"
filter = { kind = ["price"] }
[[triggers.event]]
name = "paid"
pattern = { source = ["payments"] }
[[triggers.schedule]]
name = "nightly"
expression = "cron(0 3 * * ? *)"
timezone = "Europe/Berlin"
input = { kind = "nightly" }
flexible_window_min = 15
[[triggers.bucket]]
name = "uploads"
suffix = ".csv"
[[triggers.stream]]
name = "clicks"
source = "kinesis"
parallel = 2
max_age_s = 3600
filters = [{ data = { kind = ["click"] } }]
[[triggers.stream]]
name = "stock"
source = "dynamodb"
partition_key = "id"
sort_key = "at"
on_failure = "${queue}"
[[triggers.load_balancer]]
name = "shop"
listener_arn = "${listener}"
priority = 10
paths = ["/orders/*"]
hosts = ["shop.example.com"]
methods = ["GET"]
multi_value_headers = true
health_check_path = "/health"
"""

GUARD = """
description = "Lets partners in"
[provisioned]
concurrency = 1
[env.local.rollout]
by = "codedeploy"
strategy = "linear"
percent = 20
minutes = 7
before_hook = "every"
after_hook = "rest"
"""

REST = """
description = "Has what cannot stand beside the other, and reads what is there already"
snap_start = true
dead_letter_arn = "${queue}"
layers = ["${layer}", "own"]
[alarms]
enabled = false
[[triggers.http]]
route = "$$default"
authorizer = "iam"
[triggers.url]
auth = "iam"
[[triggers.topic]]
name = "told"
arn = "${topic}"
filter = { kind = ["price"] }
filter_scope = "body"
[[triggers.event]]
name = "shop"
bus = "shop"
pattern = { source = ["shop"] }
dead_letter = false
enabled = false
[[triggers.schedule]]
name = "often"
expression = "rate(5 minutes)"
dead_letter = false
enabled = false
[[triggers.bucket]]
name = "inbox"
arn = "${bucket}"
events = ["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"]
prefix = "in/"
[[triggers.stream]]
name = "visits"
source = "kinesis"
arn = "${stream}"
start = "trim-horizon"
on_failure = "${queue}"
[[triggers.stream]]
name = "changes"
source = "dynamodb"
arn = "${table_stream}"
on_failure = "${topic}"
enabled = false
"""


IMAGE = """
description = "An image"
package = "image"
[image_config]
entry_point = ["/lambda-entrypoint.sh"]
command = ["app.handler"]
working_directory = "/var/task"
"""

LAYER = """
description = "Ours"
runtimes = ["python3.13"]
architectures = ["x86_64", "arm64"]
"""

OPERATIONS = """
alarms = { actions = ["${topic}"] }
permissions_boundary = "${boundary}"
tags = { cost = "42" }
"""

FUNCTIONS = {"every": EVERY, "guard": GUARD, "image": IMAGE, "rest": REST}
NOTHING = "Plan: 0 to add, 0 to change, 0 to destroy."


def network(checkout: Checkout) -> dict[str, str]:
    ec2 = checkout.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for n, zone in enumerate("ab")
    ]
    first, second = (subnet["SubnetId"] for subnet in subnets)
    group = ec2.create_security_group(VpcId=vpc, GroupName="functions", Description="functions")["GroupId"]
    files = checkout.client("efs")
    file_system = files.create_file_system(CreationToken="files")["FileSystemId"]
    files.create_mount_target(FileSystemId=file_system, SubnetId=first)
    point = files.create_access_point(ClientToken="files", FileSystemId=file_system)["AccessPointArn"]
    balancers = checkout.client("elbv2")
    (balancer,) = balancers.create_load_balancer(Name="shop", Subnets=[first, second])["LoadBalancers"]
    answer: dict[str, Any] = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    (listener,) = balancers.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[answer]
    )["Listeners"]
    return {
        "first_subnet": first,
        "second_subnet": second,
        "security_group": group,
        "access_point": point,
        "listener": listener["ListenerArn"],
    }


def keys(checkout: Checkout) -> dict[str, str]:
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = checkout.client("iam")
    for name in ("boundary", "audit"):
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))
    checkout.client("ssm").put_parameter(Name="/shop/limit", Value="3", Type="String")
    return {
        "boundary": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
        "policy": f"arn:aws:iam::{ACCOUNT}:policy/audit",
        "parameter": f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/shop/limit",
        "signing": f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-0d5d1a1e6f554c1b9",
        "key": checkout.client("kms").create_key()["KeyMetadata"]["Arn"],
        "secret": checkout.client("secretsmanager").create_secret(Name="token", SecretString="t")["ARN"],
        "certificate": checkout.client("acm").request_certificate(DomainName="api.example.com")["CertificateArn"],
    }


def sources(checkout: Checkout) -> dict[str, str]:
    checkout.client("sqs").create_queue(QueueName="returns", Attributes={"VisibilityTimeout": "180"})
    checkout.client("s3").create_bucket(Bucket="shop-inbox")
    checkout.client("events").create_event_bus(Name="shop")
    checkout.client("kinesis").create_stream(StreamName="visits", ShardCount=1)
    table = checkout.client("dynamodb").create_table(
        TableName="changes",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    empty = b"PK\5\6" + bytes(18)
    layer = checkout.client("lambda").publish_layer_version(LayerName="theirs", Content={"ZipFile": empty})
    return {
        "queue": f"arn:aws:sqs:us-east-1:{ACCOUNT}:returns",
        "topic": checkout.client("sns").create_topic(Name="news")["TopicArn"],
        "bucket": "arn:aws:s3:::shop-inbox",
        "stream": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/visits",
        "table_stream": table["LatestStreamArn"],
        "layer": layer["LayerVersionArn"],
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("local.start", "--persist")
    made = {**network(checkout), **keys(checkout), **sources(checkout)}
    files = {"slipway.toml": SLIPWAY, "layers/own/layer.toml": LAYER, "terraform/envs/local.tfvars": OPERATIONS}
    for name, settings in FUNCTIONS.items():
        files[f"functions/{name}/function.toml"] = settings
        checkout.write(f"functions/{name}/src/app.py", APP)
    checkout.write("layers/own/src/shared.py", "NAME = 'ours'\n")
    for path, text in files.items():
        checkout.write(path, Template(text).substitute(made))
    yield checkout
    checkout.run("local.stop", "--discard")


@pytest.fixture(scope="module")
def deployed(checkout: Checkout) -> Checkout:
    checkout.run("deploy")
    return checkout


def paths(settings: Any, place: str = "", *, by_name: Collection[str] = ()) -> Iterator[str]:
    """Yield where each value is; below ``by_name`` are names, which do not count."""
    if isinstance(settings, dict) and settings:
        for key, value in settings.items():
            yield from paths(value, place if place in by_name else f"{place}.{key}", by_name=by_name)
    elif isinstance(settings, list) and settings and isinstance(settings[0], dict):
        for each in settings:
            yield from paths(each, place, by_name=by_name)
    else:
        yield place


def test_no_setting_is_left_out():
    computed = r"\.(artifact(\..+)?|image_uri|package_type|handler|runtime|architecture|codedeploy(\..+)?)"
    kinds = ("http", "queue", "topic", "event", "schedule", "bucket", "stream", "load_balancer")
    by_name = {".environment", ".secrets", ".tags", ".authorizers", *(f".triggers.{kind}" for kind in kinds)}
    handoff = json.loads((ROOT / "tests/golden/handoff.json").read_text("utf-8"))
    settings = [tomllib.loads(text) for text in FUNCTIONS.values()]
    written = {path for each in settings for path in paths(each)} | set(paths(tomllib.loads(SLIPWAY)["http_api"]))
    there_are = {path for each in handoff["functions"].values() for path in paths(each, by_name=by_name)}
    there_are |= set(paths(handoff["http_api"], by_name=by_name))
    left_out = {each for each in there_are if not any(path.startswith(each) for path in written)}
    assert {each for each in left_out if not re.fullmatch(computed, each)} == set()


def test_no_kind_of_resource_is_left_out(deployed):
    declared = {
        kind
        for path in (ROOT / "terraform").glob("modules/*/*.tf")
        for kind in re.findall(r'^resource "(\w+)"', path.read_text("utf-8"), re.MULTILINE)
    }
    state = deployed.client("s3").get_object(
        Bucket="slipway-local-terraform-state-123456789012", Key="slipway/local.tfstate"
    )
    there = {each["type"] for each in json.loads(state["Body"].read())["resources"] if each["mode"] == "managed"}
    assert declared - there == set()


def test_a_plan_after_it_is_empty(deployed):
    assert NOTHING in deployed.run("plan").stderr


def test_it_is_empty_after_a_restart_as_well(deployed):
    deployed.run("local.stop")
    assert "not restored" not in deployed.run("local.start").stderr
    assert NOTHING in deployed.run("plan").stderr


CHANGES = {
    "every": (
        ("memory_mb = 512", "memory_mb = 768"),
        ('mount = "/mnt/data"', 'mount = "/mnt/files"'),
        ('source = ["payments"]', 'source = ["payments", "refunds"]'),
        ('[[triggers.topic]]\nname = "prices"\nfilter = { kind = ["price"] }\n', ""),
        ("throttle = { rate_per_s = 10, burst = 20 }\n", ""),
        ("streaming = true", "streaming = false"),
        ("retries = 1\n", "retries = 0\n"),
    ),
    "guard": (("concurrency = 1", "concurrency = 2"), ("percent = 20", "percent = 25"), ('after_hook = "rest"\n', "")),
    "rest": (("snap_start = true\n", ""), ("rate(5 minutes)", "rate(6 minutes)")),
}


def test_a_change_of_settings_is_applied_and_settles(deployed):
    for name, changes in CHANGES.items():
        path = deployed.root / f"functions/{name}/function.toml"
        text = path.read_text("utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, "utf-8")
    deployed.run("deploy", "--allow-delete")
    functions = deployed.client("lambda")
    every = functions.get_function_configuration(FunctionName="slipway-local-every", Qualifier="live")
    assert every["MemorySize"] == 768
    assert every["FileSystemConfigs"][0]["LocalMountPath"] == "/mnt/files"
    guard = functions.get_provisioned_concurrency_config(FunctionName="slipway-local-guard", Qualifier="live")
    assert guard["RequestedProvisionedConcurrentExecutions"] == 2
    codedeploy = deployed.client("codedeploy")
    group = {"applicationName": "slipway-local", "deploymentGroupName": "slipway-local-guard"}
    config = codedeploy.get_deployment_group(**group)["deploymentGroupInfo"]["deploymentConfigName"]
    assert config == "slipway-local-guard.linear-25-percent-7-min"
    topics = [each["TopicArn"] for each in deployed.client("sns").list_topics()["Topics"]]
    assert topics == [f"arn:aws:sns:us-east-1:{ACCOUNT}:news"]
    assert NOTHING in deployed.run("plan").stderr


LISTS = {
    "apigatewayv2": ("get_apis", "get_domain_names"),
    "application-autoscaling": ("describe_scalable_targets ServiceNamespace=lambda",),
    "cloudformation": ("describe_stacks",),
    "cloudwatch": ("describe_alarms", "list_dashboards"),
    "codedeploy": ("list_applications", "list_deployment_configs"),
    "dynamodb": ("list_tables",),
    "elbv2": ("describe_target_groups",),
    "events": ("list_rules", "list_rules EventBusName=shop"),
    "iam": ("list_roles",),
    "kinesis": ("list_streams",),
    "lambda": ("list_functions", "list_event_source_mappings"),
    "logs": ("describe_log_groups",),
    "s3": ("list_buckets",),
    "scheduler": ("list_schedules", "list_schedule_groups"),
    "sns": ("list_topics", "list_subscriptions"),
    "sqs": ("list_queues",),
}


def test_a_destroy_leaves_what_others_made_and_nothing_else(deployed):
    deployed.run("destroy")
    left = ""
    for service, questions in LISTS.items():
        client = deployed.client(service)
        for question in questions:
            action, *arguments = question.split()
            given = dict(each.split("=") for each in arguments)
            left += json.dumps(getattr(client, action)(**given), default=str)
    ours = set(re.findall(r"slipway-local-[\w.-]+", left))
    assert ours == {f"slipway-local-artifacts-{ACCOUNT}-us-east-1", f"slipway-local-terraform-state-{ACCOUNT}"}
    assert f"arn:aws:sns:us-east-1:{ACCOUNT}:news" in left
