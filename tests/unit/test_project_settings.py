import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from build.project import problems, quotas, settings


def lines(text: str, adapter=settings.FUNCTION) -> list[str]:
    try:
        adapter.validate_python(tomllib.loads(text))
    except ValidationError as error:
        return list(problems.lines("f.toml", error, adapter.json_schema()))
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
layers = ["data", "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"]
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
        ('package = "image"', "package: container images are not supported by this version of Slipway"),
        ('package = "rpm"', 'package: expected "zip", got "rpm"'),
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
        ("[[triggers.cron]]\nx = 1", "triggers.cron: unknown key; known here: http, queue"),
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
        ("batch_size = 11", "triggers.queue[0]: a batch_size above 10 needs a batch_window_s of at least 1"),
        ("batch_window_s = 301", "triggers.queue[0].batch_window_s: expected 0 … 300, got 301"),
        ("max_receive_count = 0", "triggers.queue[0].max_receive_count: expected 1 … 1000, got 0"),
        ("max_concurrency = 1", "triggers.queue[0].max_concurrency: expected 2 … 1000, got 1"),
        ("memory_mb = 512", "triggers.queue[0].memory_mb: unknown key here; `memory_mb` is a key of the file itself"),
        ("batch = 1", "triggers.queue[0].batch: unknown key; did you mean `batch_size`?"),
    ],
)
def test_a_queue_that_lambda_would_refuse_is_refused(text, expected):
    assert line(f'[[triggers.queue]]\nname = "q"\n{text}').startswith(f"f.toml: {expected}")


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

    shapes = botocore.loaders.Loader().load_service_model("lambda", "service-2")["shapes"]
    for shape, bounds in {
        "BatchSize": quotas.BATCH_SIZE,
        "MaximumBatchingWindowInSeconds": quotas.BATCH_WINDOW_S,
        "MaximumConcurrency": quotas.QUEUE_CONCURRENCY,
    }.items():
        assert (shapes[shape]["min"], shapes[shape]["max"]) == bounds
    assert shapes["Handler"]["max"] == quotas.HANDLER_CHARS
    assert shapes["Description"]["max"] == quotas.DESCRIPTION_CHARS
    assert shapes["LayerName"]["max"] == quotas.LAYER_NAME_CHARS


def test_every_number_of_aws_has_its_page_beside_it():
    blocks = [block for block in Path(quotas.__file__).read_text("utf-8").split("\n\n") if " = " in block]
    assert len(blocks) > 10
    assert [block for block in blocks if not block.startswith("# https://docs.aws.amazon.com/")] == []
