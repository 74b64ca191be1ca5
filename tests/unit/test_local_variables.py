from pathlib import Path

from build.local.deployment import Container, Deployment, LogFormat
from build.local.variables import container_variables, worker_variables
from build.model import Runtime


def variables(endpoint: str | None = "http://127.0.0.1:1", **changed):
    values = {
        "function_name": "orders",
        "version": "7",
        "runtime": Runtime(12),
        "handler": "app.handler",
        "task_root": Path("/task"),
        "opt": Path("/layers"),
        "memory_mb": 256,
        "log_group": "/aws/lambda/orders",
        "region": "eu-central-1",
        "account_id": "123456789012",
    }
    return worker_variables(
        Deployment(**{**values, **changed}),
        python=Path("/python/bin/python3.12"),
        runtime_folder=Path("/runtime"),
        temporary=Path("/tmp/e"),
        log_stream="2026/01/31/[7]abc",
        endpoint=endpoint,
    )


def test_the_reserved_variables_are_those_of_lambda():
    got = variables()
    assert got["_HANDLER"] == "app.handler"
    assert got["LAMBDA_TASK_ROOT"] == "/task"
    assert got["LAMBDA_RUNTIME_DIR"] == "/runtime"
    assert got["AWS_LAMBDA_FUNCTION_NAME"] == "orders"
    assert got["AWS_LAMBDA_FUNCTION_VERSION"] == "7"
    assert got["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert got["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/orders"
    assert got["AWS_LAMBDA_LOG_STREAM_NAME"] == "2026/01/31/[7]abc"
    assert got["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert got["AWS_REGION"] == got["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert got["TZ"] == ":UTC"


def test_a_function_may_set_its_own_but_not_the_reserved_ones():
    got = variables(environment={"GREETING": "Ahoy", "TZ": "Europe/Berlin", "AWS_REGION": "elsewhere"})
    assert got["GREETING"] == "Ahoy"
    assert got["TZ"] == "Europe/Berlin"
    assert got["AWS_REGION"] == "eu-central-1"


def test_a_function_cannot_lead_its_clients_past_the_cloud():
    got = variables(environment={"AWS_ENDPOINT_URL": "https://example.com", "AWS_ACCESS_KEY_ID": "real"})
    assert got["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert got["AWS_ACCESS_KEY_ID"] == "testing"


def test_without_a_cloud_there_is_no_endpoint():
    assert "AWS_ENDPOINT_URL" not in variables(endpoint=None)


def test_the_home_folder_is_not_the_one_of_the_person_at_the_machine():
    got = variables()
    assert got["HOME"] == got["TMPDIR"] == "/tmp/e"
    assert got["AWS_SHARED_CREDENTIALS_FILE"] == got["AWS_CONFIG_FILE"] == "/dev/null"


def test_in_a_sandbox_the_defaults_are_lambdas_and_nothing_needs_to_lead_home():
    deployment = Deployment(
        function_name="orders",
        version="7",
        runtime=Runtime(12),
        handler="app.handler",
        task_root=Path("/var/task"),
        opt=Path("/opt"),
        log_group="/aws/lambda/orders",
        region="eu-central-1",
        account_id="123456789012",
    )
    got = worker_variables(
        deployment,
        python=Path("/var/lang/bin/python3.12"),
        runtime_folder=Path("/var/runtime"),
        temporary=None,
        log_stream="stream",
        endpoint=None,
    )
    assert {"HOME", "TMPDIR"} & set(got) == set()
    libraries = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    assert got["LD_LIBRARY_PATH"] == libraries
    assert got["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"


def test_nothing_of_the_host_is_taken_over(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    got = variables()
    assert "SECRET_OF_THE_HOST" not in got
    assert "PYTHONPATH" not in got


def test_programs_and_libraries_of_layers_are_found():
    got = variables()
    assert got["PATH"].split(":")[-1] == "/layers/bin"
    assert got["LD_LIBRARY_PATH"].split(":") == ["/runtime", "/runtime/lib", "/task", "/task/lib", "/layers/lib"]


def test_a_log_level_is_set_for_json_only():
    assert "AWS_LAMBDA_LOG_LEVEL" not in variables(log_level="DEBUG")
    assert variables(log_format=LogFormat.JSON)["AWS_LAMBDA_LOG_LEVEL"] == "INFO"
    assert variables(log_format=LogFormat.JSON, log_level="DEBUG")["AWS_LAMBDA_LOG_LEVEL"] == "DEBUG"


def of_container(image=(), function=()):
    container = Container(root=Path("/root"), command=("/run",), workdir="/", environment=dict(image))
    deployment = Deployment(
        function_name="orders",
        version="7",
        runtime=None,
        handler="",
        task_root=Path("/root"),
        environment=dict(function),
        log_group="/aws/lambda/orders",
        region="eu-central-1",
        account_id="123456789012",
    )
    return container_variables(deployment, container, log_stream="stream", endpoint="http://127.0.0.1:1")


def test_of_an_image_the_function_wins_over_the_image_and_lambda_over_both():
    got = of_container(
        image={"A": "image", "B": "image", "AWS_REGION": "image", "PATH": "/image"},
        function={"B": "function", "AWS_LAMBDA_FUNCTION_NAME": "function"},
    )
    assert (got["A"], got["B"], got["PATH"]) == ("image", "function", "/image")
    assert (got["AWS_REGION"], got["AWS_LAMBDA_FUNCTION_NAME"]) == ("eu-central-1", "orders")
    assert got["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"


def test_an_image_has_places_of_its_own_and_says_itself_what_runs_in_it():
    got = of_container()
    assert (got["LAMBDA_TASK_ROOT"], got["LAMBDA_RUNTIME_DIR"]) == ("/var/task", "/var/runtime")
    assert of_container(image={"LAMBDA_TASK_ROOT": "/app"})["LAMBDA_TASK_ROOT"] == "/app"
    assert {"_HANDLER", "AWS_EXECUTION_ENV", "HOME", "LD_LIBRARY_PATH", "TMPDIR"} & set(got) == set()
