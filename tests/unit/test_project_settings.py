import tomllib
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from build.project import problems, settings
from build.rules import quotas


@cache
def schema_of(adapter):
    return adapter.json_schema()


def lines(text: str, adapter=settings.FUNCTION) -> list[str]:
    try:
        adapter.validate_python(tomllib.loads(text))
    except ValidationError as error:
        return list(problems.lines("f.toml", error, schema_of(adapter)))
    return []


def function(text: str) -> list[str]:
    return lines(f'description = "x"\n{text}')


def line(text: str) -> str:
    (only,) = function(text)
    return only


FULL = """
runtime = "python3.13"
architecture = "arm64"
handler = "pkg.app.handler"
package = "zip"
layers = ["data", "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7", "{custom.layer}"]
memory_mb = 128
timeout_s = 900
ephemeral_storage_mb = 10240
log_retention_days = 3653
reserved_concurrency = 0
[environment]
LOG_LEVEL = "INFO"
EMPTY = ""
[[triggers.http]]
route = "ANY /a/{id}/{rest+}"
[[triggers.http]]
route = "$default"
[[triggers.queue]]
name = "q"
batch_size = 10000
batch_window_s = 1
max_receive_count = 1000
max_concurrency = 2
[[permissions]]
actions = ["s3:*"]
resources = ["arn:aws:s3:::{name}-{env}-{region}-{account}/${aws:username}/*"]
reason = "all of it"
[env.prod]
memory_mb = 10240
[env.prod.environment]
LOG_LEVEL = "WARNING"
"""


def test_every_key_of_a_function_is_accepted_at_the_ends_of_its_range():
    assert function(FULL) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("memory_mb = 127", "memory_mb: expected 128 … 10240, got 127"),
        ("memory_mb = 10241", "memory_mb: expected 128 … 10240, got 10241"),
        ("timeout_s = 901", "timeout_s: expected 1 … 900, got 901"),
        ("ephemeral_storage_mb = 511", "ephemeral_storage_mb: expected 512 … 10240, got 511"),
        ("reserved_concurrency = -1", "reserved_concurrency: expected at least 0, got -1"),
        ('memory_mb = "512"', 'memory_mb: expected a whole number, got "512"; write 512 without quotes'),
        ("memory_mb = 512.0", "memory_mb: expected a whole number, got 512.0"),
        ("memory_mb = true", "memory_mb: expected a whole number, got true"),
        ('runtime = "python3.9"', "runtime: expected one of python3.10,"),
        (
            'architecture = "aarch64"',
            'architecture: expected one of x86_64, arm64, got "aarch64"; did you mean `arm64`?',
        ),
        ("log_retention_days = 10", "log_retention_days: expected one of 1, 3, 5, 7, 14,"),
        ('layers = "data"', 'layers: expected a list, got "data"; write ["data"]'),
        ('layers = ["data", "data"]', 'layers: expected each once, got "data" twice'),
        (
            'layers = ["arn:aws:lambda:eu-central-1:123456789012:layer:x"]',
            "layers[0]: expected the ARN of a layer",
        ),
        ('handler = "app"', 'handler: expected "module.function"'),
        ('handler = "pkg/app.handler"', 'handler: expected dots between packages: "pkg.app.handler"'),
        ('handler = "time.handler"', "handler: expected a module of your own: Lambda refuses what Python has built in"),
        (f'handler = "a.{"b" * 127}"', "handler: expected at most 128 characters, got 129"),
        ('package = "rpm"', 'package: expected "zip" or "image", got "rpm"'),
        ("memry_mb = 1", "memry_mb: unknown key; did you mean `memory_mb`?"),
        ("zzz = 1", "zzz: unknown key; known here: runtime, architecture, handler,"),
        ("environment = []", "environment: expected a table, got a list; write [environment] once, in single brackets"),
        ("[environment]\nDEBUG = 1", 'environment.DEBUG: expected a string, got 1; quote it: "1"'),
        ("[environment]\nDEBUG = true", 'environment.DEBUG: expected a string, got true; quote it: "true"'),
        (
            "[environment]\nmemory_mb = 512",
            "environment.memory_mb: expected a string, got 512; `memory_mb` stands",
        ),
        ('[environment]\nAWS_REGION = "x"', "environment.AWS_REGION: is set by Lambda"),
        ('[environment]\n_HANDLER = "x"', "environment._HANDLER: is set by Lambda"),
        ('[environment]\nSLIPWAY_X = "x"', "environment.SLIPWAY_X: is kept for Slipway"),
        ('[environment]\nX = "x"', "environment.X: expected a name of at least two characters"),
        ('[environment]\n"A-B" = "x"', "environment.A-B: expected a name of at least two characters"),
        ("[env.prod]\nmemry_mb = 1", "env.prod.memry_mb: unknown key; did you mean `memory_mb`?"),
        ("[env.prod]\ntimeout_s = 0", "env.prod.timeout_s: expected 1 … 900, got 0"),
        ("[env.prod]\nenv = {}", "env.prod.env: unknown key"),
        ("[env.Prod]\ntimeout_s = 1", "env.Prod: expected kebab-case"),
        ('[triggers.http]\nroute = "GET /"', "triggers.http: expected a list, got a table; write [[triggers.http]]"),
        ("[[triggers.cron]]\nx = 1", "triggers.cron: unknown key; known here: http, url, queue,"),
    ],
)
def test_a_wrong_value_says_where_what_is_expected_and_what_is_there(text, expected):
    assert line(text).startswith(f"f.toml: {expected}")


def test_a_description_is_neither_blank_nor_longer_than_lambda_stores():
    assert lines('description = " "') == ['f.toml: description: expected 1 … 256 characters, got 1: " "']
    (long,) = lines(f'description = "{"x" * 257}"')
    assert long.startswith("f.toml: description: expected 1 … 256 characters, got 257:")


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("post /orders", 'got "post"; did you mean "POST /orders"?'),
        ("FETCH /orders", 'expected one of the methods ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, got "FETCH"'),
        ("/orders", 'expected "METHOD /path" or "$default", got "/orders"'),
        ("POST orders", 'expected "METHOD /path" or "$default", got "POST orders"'),
        ("GET /a b", 'expected segments like orders, {id} and, as the last, {rest+}, got "a b"'),
        ("GET /{rest+}/a", 'expected a greedy {variable+} as the last segment only, got "/{rest+}/a"'),
        ("GET /{id}/{id}", "expected each path variable once, got id twice"),
        ("GET /{}", "expected segments like orders"),
    ],
)
def test_a_route_that_api_gateway_would_refuse_is_refused(route, expected):
    assert expected in line(f'[[triggers.http]]\nroute = "{route}"')


@pytest.mark.parametrize("route", ["GET /", "ANY /a/{id}", "POST /a/{rest+}", "DELETE /v1.0/~x", "$default"])
def test_a_route_that_api_gateway_takes_is_taken(route):
    assert function(f'[[triggers.http]]\nroute = "{route}"') == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batch_size = 0", "triggers.queue[0].batch_size: expected 1 … 10000, got 0"),
        ("batch_size = 11", "triggers.queue[0]: expected a batch_window_s of at least 1 with a batch_size above"),
        ("batch_window_s = 301", "triggers.queue[0].batch_window_s: expected 0 … 300, got 301"),
        ("max_receive_count = 0", "triggers.queue[0].max_receive_count: expected 1 … 1000, got 0"),
        ("max_concurrency = 1", "triggers.queue[0].max_concurrency: expected 2 … 1000, got 1"),
        ("memory_mb = 512", "triggers.queue[0].memory_mb: unknown key here; `memory_mb` is a key of the file itself"),
        ("batch = 1", "triggers.queue[0].batch: unknown key; did you mean `batch_size`?"),
    ],
)
def test_a_queue_that_lambda_would_refuse_is_refused(text, expected):
    assert line(f'[[triggers.queue]]\nname = "q"\n{text}').startswith(f"f.toml: {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('arn = "arn:aws:sns:{region}:{account}:x"', "triggers.queue[0].arn: expected an ARN of sqs, or {custom.NAME}"),
        ('arn = "arn:aws:sqs:{region}:{account}:x"\nfifo = true', "triggers.queue[0]: expected fifo only for a queue"),
        ("fifo = true\nbatch_size = 11", "triggers.queue[0]: expected a batch_size up to 10 and no batch_window_s"),
        ("fifo = true\nbatch_window_s = 1", "triggers.queue[0]: expected a batch_size up to 10 and no batch_window_s"),
        (f"filters = [{', '.join(['{}'] * 6)}]", "triggers.queue[0].filters: expected at most 5, got 6"),
        ('filters = ["x"]', 'triggers.queue[0].filters[0]: expected a table, got "x"'),
        ('enabled = "yes"', 'triggers.queue[0].enabled: expected true or false, got "yes"'),
    ],
)
def test_a_queue_that_exists_or_keeps_order_has_rules_of_its_own(text, expected):
    assert line(f'[[triggers.queue]]\nname = "q"\n{text}').startswith(f"f.toml: {expected}")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("[triggers.url]", "triggers.url.auth: missing"),
        ('[triggers.url]\nauth = "NONE"', "triggers.url.auth: expected one of iam, none, got"),
        ('[triggers.url]\nauth = "none"', 'triggers.url: expected reason = "…" with auth = "none"'),
        ('[[triggers.url]]\nauth = "iam"', "triggers.url: expected a table, got a list; write [triggers.url] once"),
        ('[triggers.url]\nauth = "iam"\ncors = {}', "triggers.url.cors.allow_origins: missing"),
        (
            '[triggers.url]\nauth = "iam"\ncors = { allow_origins = ["*"], allow_credentials = true }',
            "triggers.url.cors: expected origins by name with allow_credentials, as browsers demand, got *",
        ),
        ('[[triggers.http]]\nroute = "GET /"\nscopes = ["x"]', "triggers.http[0]: expected scopes only with an author"),
        (
            '[[triggers.http]]\nroute = "GET /"\nthrottle = { rate_per_s = 1 }',
            "triggers.http[0].throttle.burst: missing",
        ),
        ('[[triggers.topic]]\nname = "t"\nfilter = "x"', 'triggers.topic[0].filter: expected a table, got "x"'),
        ('[[triggers.topic]]\nname = "t"\nfilter_scope = "head"', "triggers.topic[0].filter_scope: expected one of"),
        ('[[triggers.event]]\nname = "e"', "triggers.event[0].pattern: missing"),
        ('[[triggers.event]]\nname = "e"\npattern = {}\nretries = 186', "triggers.event[0].retries: expected 0 … 185"),
        (
            '[[triggers.event]]\nname = "e"\npattern = {}\nbus = "a b"',
            "triggers.event[0].bus: expected the name or ARN",
        ),
        ('[[triggers.schedule]]\nname = "s"', "triggers.schedule[0].expression: missing"),
        (
            '[[triggers.schedule]]\nname = "s"\nexpression = "rate(1 day)"\ntimezone = "Berlin"',
            "triggers.schedule[0].timezone: expected a time zone such as",
        ),
        (
            '[[triggers.bucket]]\nname = "b"\nevents = []',
            "triggers.bucket[0].events: expected at least 1, got an empty",
        ),
        ('[[triggers.bucket]]\nname = "b"\nevents = ["put"]', "triggers.bucket[0].events[0]: expected an event of S3"),
        ('[[triggers.stream]]\nname = "s"', "triggers.stream[0].source: missing"),
        (
            '[[triggers.stream]]\nname = "s"\nsource = "dynamodb"',
            "triggers.stream[0]: expected partition_key for the table that is made, or arn, got neither",
        ),
        (
            '[[triggers.stream]]\nname = "s"\nsource = "kinesis"\npartition_key = "id"',
            "triggers.stream[0]: expected partition_key and sort_key only for a table that is made, got kinesis",
        ),
        (
            '[[triggers.load_balancer]]\nname = "l"\npaths = ["/"]',
            "triggers.load_balancer[0]: expected listener_arn, priority and one of paths, hosts, methods together",
        ),
        (
            '[[triggers.load_balancer]]\nname = "l"\nmethods = ["get"]',
            "triggers.load_balancer[0].methods: expected one of DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, got",
        ),
        ('[secrets.TOKEN]\narn = "token"', "secrets.TOKEN.arn: expected an ARN of ssm or secretsmanager"),
        (
            '[secrets.TOKEN]\narn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token"',
            "secrets.TOKEN.arn: expected the whole ARN of a secret",
        ),
        ('[secrets.AWS_REGION]\narn = "{custom.token}"', "secrets.AWS_REGION: is set by Lambda"),
        ('[network]\nsubnet_ids = ["subnet-1"]', "network.security_group_ids: missing"),
        (
            '[network]\nsubnet_ids = []\nsecurity_group_ids = ["sg-1"]',
            "network.subnet_ids: expected at least 1, got an empty list",
        ),
        (
            f'[network]\nsubnet_ids = ["subnet-1"]\nsecurity_group_ids = {[f"sg-{number}" for number in range(6)]}',
            "network.security_group_ids: expected at most 5, got 6",
        ),
        ('[file_system]\narn = "{custom.files}"\nmount = "/data"', "file_system.mount: expected a folder of /mnt"),
        ('image_config = { command = "x" }', "image_config.command: expected a list"),
        ('image_config = { cmd = ["x"] }', "image_config.cmd: unknown key"),
        (
            f'[image_config]\nworking_directory = "/{"x" * 1000}"',
            "image_config: expected a working_directory of at most 1000 characters, got 1001",
        ),
        ('base_image = "example.invalid/x:1"', "base_image: expected a digest behind it"),
        ('base_image = "python:3.13"', "base_image: expected HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST"),
        ("[asynchronous]\nretries = 3", "asynchronous.retries: expected 0 … 2, got 3"),
        ('[asynchronous]\non_failure = "topic"', 'asynchronous.on_failure: expected "queue", or an ARN of sqs or sns'),
        ("[provisioned]\nconcurrency = 0", "provisioned.concurrency: expected at least 1, got 0"),
        ("[provisioned]\nconcurrency = 5\nmax = 4", "provisioned: expected a max of at least concurrency, 5, got 4"),
        (
            '[provisioned]\nconcurrency = 1\nschedules = [{name="s",expression="rate(1 day)",min=1,max=2}]',
            "provisioned: expected max beside schedules, got none",
        ),
        (
            '[provisioned]\nconcurrency = 1\nmax = 9\nschedules = [{name="s",expression="rate(1 day)",min=3,max=2}]',
            "provisioned.schedules[0]: expected a max of at least min, 3, got 2",
        ),
        ('[rollout]\nby = "spinnaker"', "rollout.by: expected one of slipway, codedeploy, got"),
        ('[rollout]\nafter_hook = "x"', 'rollout: expected by = "codedeploy" beside hooks, got by = "slipway"'),
        (
            '[rollout]\nby = "codedeploy"\nstrategy = "linear"\npercent = 1\nminutes = 30',
            "rollout: expected at most 2880 minutes from the first step to the last, which is CodeDeploy's quota, got",
        ),
        ("[alarms]\nduration_percent = 101", "alarms.duration_percent: expected 1 … 100, got 101"),
        ('tags = { "aws:x" = "y" }', "tags.aws:x: expected a name that does not begin with aws:"),
        ('log_level = "WARNING"', "log_level: expected one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, got"),
        ('stack = "default"', 'stack: expected another name, got "default", which is the env\'s own stack'),
        ('managed_policies = ["a b"]', "managed_policies[0]: expected a policy of AWS by name, such as"),
        ('snap_start = "true"', 'snap_start: expected true or false, got "true"'),
        ('kms_key_arn = "alias/x"', "kms_key_arn: expected an ARN of kms, or {custom.NAME}"),
    ],
)
def test_a_table_that_aws_would_refuse_is_refused(table, expected):
    assert line(table).startswith(f"f.toml: {expected}")


def test_lists_have_the_length_that_aws_takes():
    policies = [f"Policy{number}" for number in range(11)]
    assert line(f"managed_policies = {policies}") == "f.toml: managed_policies: expected at most 10, got 11"
    assert function(f"managed_policies = {policies[1:]}") == []
    words = ["x"] * 1501
    for key in ("command", "entry_point"):
        expected = f"f.toml: image_config.{key}: expected at most 1500, got 1501"
        assert line(f"image_config.{key} = {words}") == expected
        assert function(f"image_config.{key} = {words[1:]}") == []
    tags = "\n".join(f'tag{number} = "x"' for number in range(49))
    assert line(f"[tags]\n{tags}") == "f.toml: tags: expected at most 48, got 49"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("authorizers.x = {}", "http_api.authorizers.x: expected issuer and audience, or function, got neither"),
        (
            'authorizers.x = { issuer = "https://x" }',
            "http_api.authorizers.x: expected an audience beside issuer, got none",
        ),
        (
            'authorizers.x = { issuer = "https://x", function = "door" }',
            "http_api.authorizers.x: expected issuer and audience, or function, got both",
        ),
        ('authorizers.x = { function = "door", ttl_s = 3601 }', "http_api.authorizers.x.ttl_s: expected 0 … 3600"),
        ("throttle = { rate_per_s = 0, burst = 1 }", "http_api.throttle.rate_per_s: expected at least 1, got 0"),
        ('domain = { name = "x.example.com" }', "http_api.domain.certificate_arn: missing"),
        ("cor = {}", "http_api.cor: unknown key; did you mean `cors`?"),
    ],
)
def test_a_wrong_http_api_is_refused_for_all_envs_and_for_one(text, expected):
    assert lines(f'name = "a"\n[http_api]\n{text}', settings.SLIPWAY)[0].startswith(f"f.toml: {expected}")
    (of_env,) = lines(f'name = "a"\n[env.dev.http_api]\n{text}', settings.SLIPWAY)
    assert of_env.startswith(f"f.toml: env.dev.{expected}")


def test_a_queue_needs_a_kebab_case_name():
    assert line("[[triggers.queue]]").endswith("triggers.queue[0].name: missing")
    assert line('[[triggers.queue]]\nname = "newOrders"').endswith("got `newOrders`; did you mean `new-orders`?")


@pytest.mark.parametrize(
    ("actions", "resources", "wide"),
    [
        ('["s3:*"]', '["arn:aws:s3:::b/*"]', "s3:*"),
        ('["s3:Get?bject"]', '["arn:aws:s3:::b/*"]', "s3:Get?bject"),
        ('["s3:GetObject"]', '["*"]', "*"),
        ('["s3:GetObject"]', '["arn:aws:s3:::*"]', "arn:aws:s3:::*"),
    ],
)
def test_a_wildcard_needs_a_written_reason(actions, resources, wide):
    text = f"[[permissions]]\nactions = {actions}\nresources = {resources}\n"
    assert f'permissions[0]: a wildcard needs a reason, got "{wide}"' in line(text)
    assert function(f'{text}reason = "the console asks for it"') == []


def test_a_prefix_in_a_resource_is_no_wildcard():
    assert function('[[permissions]]\nactions = ["s3:GetObject"]\nresources = ["arn:aws:s3:::b/*"]') == []


@pytest.mark.parametrize(
    ("actions", "resources", "expected"),
    [
        ("[]", '["arn:aws:s3:::b/x"]', "permissions[0].actions: expected at least 1, got an empty list"),
        ('["GetObject"]', '["arn:aws:s3:::b/x"]', 'permissions[0].actions[0]: expected "service:Action"'),
        ('["s3:GetObject"]', '["b/x"]', "permissions[0].resources[0]: expected an ARN such as"),
        ('["s3:GetObject"]', '["arn:aws:s3:::{acount}/x"]', "got {acount}; did you mean `account`?"),
    ],
)
def test_a_permission_that_iam_would_refuse_is_refused(actions, resources, expected):
    assert expected in line(f"[[permissions]]\nactions = {actions}\nresources = {resources}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "name: missing"),
        (
            'name = "My_Shop"',
            "name: expected kebab-case (a letter first, then a-z, 0-9 and",
        ),
        (f'name = "{"a" * 21}"', "name: expected at most 20 characters, so that AWS names fit, got 21"),
        ('name = "a"\n[defaults]\ntriggers = {}', "defaults.triggers: unknown key"),
        ('name = "a"\n[defaults]\nmemory_mb = 1', "defaults.memory_mb: expected 128 … 10240, got 1"),
        (
            'name = "a"\n[env.dev]\naccount_id = 123456789012',
            'env.dev.account_id: expected a string, got 123456789012; quote it: "123456789012"',
        ),
        ('name = "a"\n[env.dev]\naccount_id = "1234"', 'env.dev.account_id: expected twelve digits, got "1234"'),
        (
            'name = "a"\n[env.dev]\nregion = "europe"',
            'env.dev.region: expected a region such as "eu-central-1", got "europe"',
        ),
        ('name = "a"\n[env.dev]\nartifact_bucket = "UP"', "env.dev.artifact_bucket: expected 3 … 63 characters of a-z"),
        (
            'name = "a"\n[github]\nrepository = "https://example.invalid/acme/shop"',
            'github.repository: expected "organisation/repository", got',
        ),
        ('name = "a"\n[env.dev]\nregoin = "x"', "env.dev.regoin: unknown key; did you mean `region`?"),
    ],
)
def test_a_wrong_value_in_slipway_toml_is_refused(text, expected):
    (only,) = lines(text, settings.SLIPWAY)
    assert only.startswith(f"f.toml: {expected}")


def test_a_layer_names_what_it_is_for():
    assert len(lines("", settings.LAYER)) == 3
    wrong = 'description = "x"\nruntimes = []\narchitectures = ["arm64", "arm64"]'
    assert lines(wrong, settings.LAYER) == [
        "f.toml: runtimes: expected at least 1, got an empty list",
        'f.toml: architectures: expected each once, got "arm64" twice',
    ]


def test_long_values_are_cut_in_messages():
    assert len(line(f'runtime = "{"x" * 5000}"')) < 300


def test_ranges_are_those_of_the_aws_api_where_it_states_them():
    import botocore.loaders

    models = botocore.loaders.Loader()
    for service, ranges in {
        "lambda": {
            "BatchSize": quotas.BATCH_SIZE,
            "MaximumBatchingWindowInSeconds": quotas.BATCH_WINDOW_S,
            "MaximumConcurrency": quotas.QUEUE_CONCURRENCY,
            "MaximumRetryAttempts": quotas.ASYNCHRONOUS_RETRIES,
            "MaximumEventAgeInSeconds": quotas.ASYNCHRONOUS_AGE_S,
            "ParallelizationFactor": quotas.STREAM_PARALLEL,
        },
        "events": {"MaximumRetryAttempts": quotas.TARGET_RETRIES, "MaximumEventAgeInSeconds": quotas.TARGET_AGE_S},
        "scheduler": {"MaximumWindowInMinutes": quotas.FLEXIBLE_WINDOW_MIN},
        "elbv2": {"RulePriority": quotas.RULE_PRIORITY},
    }.items():
        shapes = models.load_service_model(service, "service-2")["shapes"]
        assert {name: (shapes[name]["min"], shapes[name]["max"]) for name in ranges} == ranges
    for service, lengths in {
        "lambda": {
            "Handler": quotas.HANDLER_CHARS,
            "Description": quotas.DESCRIPTION_CHARS,
            "LayerName": quotas.LAYER_NAME_CHARS,
            "MaximumRetryAttemptsEventSourceMapping": quotas.STREAM_RETRIES[1],
            "MaximumRecordAgeInSeconds": quotas.STREAM_AGE_S[1],
            "SubnetIds": quotas.SUBNETS,
            "SecurityGroupIds": quotas.SECURITY_GROUPS,
        },
        "events": {"RuleName": quotas.RULE_NAME_CHARS},
        "scheduler": {"Name": quotas.SCHEDULE_NAME_CHARS},
        "kinesis": {"StreamName": quotas.STREAM_NAME_CHARS},
        "dynamodb": {"TableName": quotas.TABLE_NAME_CHARS},
        "iam": {"roleNameType": quotas.ROLE_NAME_CHARS},
    }.items():
        shapes = models.load_service_model(service, "service-2")["shapes"]
        assert {name: shapes[name]["max"] for name in lengths} == lengths
    shapes = models.load_service_model("lambda", "service-2")["shapes"]
    assert tuple(shapes["ApplicationLogLevel"]["enum"]) == quotas.LOG_LEVELS
    assert tuple(shapes["SystemLogLevel"]["enum"]) == quotas.SYSTEM_LOG_LEVELS


def test_every_number_of_aws_has_its_page_beside_it():
    blocks = [block for block in Path(quotas.__file__).read_text("utf-8").split("\n\n") if " = " in block]
    assert len(blocks) > 10
    assert [block for block in blocks if not block.startswith("# https://docs.aws.amazon.com/")] == []


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (
            "stream",
            'source = "kinesis"\narn = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2030"',
            "expected the ARN of a stream of kinesis, as source says",
        ),
        (
            "stream",
            'source = "dynamodb"\narn = "arn:aws:dynamodb:eu-west-1:123456789012:table/t"',
            "expected the ARN of the table's stream",
        ),
        ("topic", 'arn = "arn:aws:sns:eu-west-1:123456789012:t.fifo"', "expected a topic that is not FIFO"),
    ],
)
def test_a_source_that_cannot_deliver_is_refused(kind, text, expected):
    assert expected in line(f'[[triggers.{kind}]]\nname = "x"\n{text}')


def test_a_source_may_be_an_output_of_terraform_custom():
    assert function('[[triggers.stream]]\nname = "x"\nsource = "kinesis"\narn = "{custom.clicks}"') == []


SIX = 'paths = ["/a", "/b", "/c"]\nhosts = ["a", "b"]\nmethods = ["GET"]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[triggers.url]\nauth = "none"', "expected reason ="),
        (
            '[triggers.url]\nauth = "iam"\n[triggers.url.cors]\nallow_origins = ["*"]\nallow_methods = ["OPTIONS"]',
            "a URL",
        ),
        ('[[triggers.load_balancer]]\nname = "x"\nhealth_check_path = "health"', "expected a path"),
        (
            '[[triggers.load_balancer]]\nname = "x"\nlistener_arn = "{custom.listener}"\npriority = 1\n' + SIX,
            "expected at most 5 paths, hosts and methods together",
        ),
    ],
)
def test_what_aws_would_refuse_of_a_url_or_a_load_balancer_is_refused(text, expected):
    assert expected in line(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[http_api.authorizers.iam]\nfunction = "gate"', 'routes say "iam"'),
        ('[http_api.authorizers.staff]\nissuer = "https://x"\naudience = ["a"]\nidentity = ["b", "c"]', "one identity"),
        ('[http_api.authorizers.staff]\nissuer = "https://x"', "expected an audience"),
    ],
)
def test_what_aws_would_refuse_of_an_authorizer_is_refused(text, expected):
    (only,) = lines(f'name = "shop"\n{text}', settings.SLIPWAY)
    assert expected in only
