"""Every trigger and every setting at once, by the verbs: planned, applied, planned again, changed, and taken away again.

What AWS has already (a network, a file system, keys, a load balancer, sources to read) is made first, as others would.
"""

import json
from typing import Any

import pytest

from tests.checkout import Checkout

pytestmark = pytest.mark.slow

ACCOUNT = "123456789012"
APP = "def handler(event, context):\n    return event\n"

PLANNED_ONLY: dict[str, str] = {}

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
"""

REST = """
description = "Has what cannot stand beside the other, and reads what is there already"
snap_start = true
dead_letter_arn = "${queue}"
layers = ["${layer}", "own"]
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


def made_by_others(checkout: Checkout) -> dict[str, str]:
    """Make what the functions only refer to; return its ARNs and ids by their names in the settings."""
    return {**network(checkout), **keys(checkout), **sources(checkout)}


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
