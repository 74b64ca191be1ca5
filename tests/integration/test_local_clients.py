"""AWS's own clients at the embedded cloud: the AWS CLI, and Powertools' event handlers behind HTTP."""

import base64
import io
import json
import os
import subprocess
import sys
import zipfile

import pytest

from build.local import cloud
from build.local.web.entries import entries
from build.model import Env
from tests.checkout import wait_for
from tests.clients import fetched, locked
from tests.embedded import ARN, Account, repository
from tests.web import ask

ENV = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket="")

pytestmark = [pytest.mark.slow, pytest.mark.network]

GREETING = """
def handler(event, context):
    print("the event:", event)
    if "Records" in event:
        return None
    return {"hello": event["name"], "version": context.function_version}
"""

HTTP = """
import base64, json
from aws_lambda_powertools.event_handler import (
    ALBResolver, APIGatewayHttpResolver, CORSConfig, LambdaFunctionUrlResolver, Response
)
from aws_lambda_powertools.event_handler.exceptions import BadRequestError
from aws_lambda_powertools.shared.cookies import Cookie

cors = CORSConfig(allow_origin="https://shop.example.com", allow_headers=["x-tenant"], max_age=60)


def routed(app):
    @app.get("/orders/<order>/items/<item>")
    def item(order, item):
        return {"order": order, "item": item}

    @app.get("/query")
    def query():
        return app.current_event.resolved_query_string_parameters

    @app.post("/raw")
    def raw():
        event = app.current_event
        sent = base64.b64decode(event.body) if event.is_base64_encoded else event.body.encode()
        return Response(200, "application/octet-stream", sent[::-1])

    @app.get("/cookies")
    def cookies():
        return Response(200, "text/plain", "set", cookies=[Cookie("a", "1"), Cookie("b", "2", secure=False)])

    @app.get("/bad")
    def bad():
        raise BadRequestError("no such size")

    @app.get("/mapped")
    def mapped():
        raise LookupError("tea")

    @app.exception_handler(LookupError)
    def lacks(why):
        return Response(418, "application/json", json.dumps({"lacks": str(why)}))

    return lambda event, context: app.resolve(event, context)


api = routed(APIGatewayHttpResolver(cors=cors))
url = routed(LambdaFunctionUrlResolver(cors=cors))
balancer = routed(ALBResolver(cors=cors))
many = routed(ALBResolver(cors=cors, decode_query_parameters=True))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    root = repository(tmp_path_factory.mktemp("repository"))
    found, _ = cloud.ensure(root)
    yield found
    cloud.stop(root)


@pytest.fixture(scope="module")
def account(running):
    return Account(running)


@pytest.fixture(scope="module")
def greeting(account):
    return account.deploy("greeting", GREETING)


class TestTheCli:
    @pytest.fixture
    def aws(self, running, tmp_path):
        place = fetched("awscli")

        def call(*words):
            variables = {**cloud.isolated(os.environ, running, ENV), "PYTHONPATH": str(place)}
            command = [sys.executable, "-m", "awscli", *words]
            if words[0] == "sqs":  # version 1 asks AWS whatever AWS_ENDPOINT_URL says
                command += ["--endpoint-url", running.endpoint]
            done = subprocess.run(
                command, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
            return done.stdout

        return call

    def test_a_function_is_invoked_and_its_log_told(self, aws, greeting, tmp_path):
        event = ("--payload", '{"name": "Ada"}')
        invoke = ("lambda", "invoke", "--function-name", greeting, "--qualifier", "live", "--log-type", "Tail")
        told = json.loads(aws(*invoke, *event, "answer.json"))
        assert (told["StatusCode"], told["ExecutedVersion"]) == (200, "1")
        assert json.loads((tmp_path / "answer.json").read_text()) == {"hello": "Ada", "version": "1"}
        log = base64.b64decode(told["LogResult"]).decode()
        assert "the event: {'name': 'Ada'}" in log
        assert "REPORT RequestId:" in log

    def test_an_error_of_the_function_is_told(self, aws, greeting, tmp_path):
        told = json.loads(aws("lambda", "invoke", "--function-name", greeting, "answer.json"))
        assert told["FunctionError"] == "Unhandled"
        assert json.loads((tmp_path / "answer.json").read_text())["errorType"] == "KeyError"

    def test_an_event_is_taken_and_found_in_the_log(self, aws, greeting):
        event = ("--payload", '{"name": "Grace"}')
        invoke = ("lambda", "invoke", "--function-name", f"{greeting}:live", "--invocation-type", "Event")
        assert json.loads(aws(*invoke, *event, "none.json")) == {"StatusCode": 202}
        group = f"/aws/lambda/{greeting}"
        search = ("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "Grace")
        found = wait_for(lambda: json.loads(aws(*search))["events"])
        assert [each["message"].strip() for each in found] == ["the event: {'name': 'Grace'}"]

    def test_the_old_way_to_invoke_works(self, aws, account, greeting, tmp_path):
        (tmp_path / "event.json").write_text('{"name": "Hopper"}')
        told = aws("lambda", "invoke-async", "--function-name", greeting, "--invoke-args", "event.json")
        assert json.loads(told) == {"Status": 202}
        search = {"logGroupName": f"/aws/lambda/{greeting}", "filterPattern": "Hopper"}
        assert wait_for(lambda: account.client("logs").filter_log_events(**search)["events"])

    def test_functions_are_listed(self, aws, greeting):
        names = aws("lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text")
        assert greeting in names.split()

    def test_files_are_copied_up_and_down(self, aws, tmp_path):
        large = os.urandom(9 * 1024 * 1024)  # in parts from 8 MB on
        (tmp_path / "up").write_bytes(large)
        aws("s3", "mb", "s3://files")
        aws("s3", "cp", "up", "s3://files/a/b", "--no-progress")
        aws("s3", "cp", "s3://files/a/b", "down", "--no-progress")
        assert (tmp_path / "down").read_bytes() == large
        assert aws("s3", "ls", "s3://files/a/").split()[2:] == [str(len(large)), "b"]

    def test_a_message_runs_a_function(self, aws, greeting):
        url = json.loads(aws("sqs", "create-queue", "--queue-name", "jobs"))["QueueUrl"]
        source = "arn:aws:sqs:us-east-1:123456789012:jobs"
        mapping = ("lambda", "create-event-source-mapping", "--event-source-arn", source)
        aws(*mapping, "--function-name", f"{ARN}{greeting}:live")
        aws("sqs", "send-message", "--queue-url", url, "--message-body", "a job to do")
        search = ("logs", "filter-log-events", "--log-group-name", f"/aws/lambda/{greeting}")
        pattern = ("--filter-pattern", '"a job to do"')
        assert source in wait_for(lambda: json.loads(aws(*search, *pattern))["events"])[0]["message"]


@pytest.fixture(scope="module")
def functions(account):
    account.client("s3").create_bucket(Bucket="powertools")
    account.client("s3").put_object(Bucket="powertools", Key="code.zip", Body=with_powertools())
    role = account.client("iam").create_role(RoleName="handlers", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def make(name):
        made = account.client("lambda").create_function(
            FunctionName=name,
            Code={"S3Bucket": "powertools", "S3Key": "code.zip"},
            Role=role,
            Runtime="python3.13",
            Handler=f"app.{name}",
            Timeout=30,
        )
        return made["FunctionArn"]

    return {name: make(name) for name in ("api", "url", "balancer", "many")}


@pytest.fixture(scope="module")
def addresses(account, running, functions):
    behind_an_api(account.client("apigatewayv2"), functions["api"])
    account.client("lambda").create_function_url_config(FunctionName="url", AuthType="NONE")
    for name in ("balancer", "many"):
        behind_a_balancer(account, name, functions[name])
    names = {"api": "api", "url": "url", "balancer:80": "balancer", "many:80": "many"}
    return {names[entry.name]: entry.address for entry in entries(running) if entry.name in names}


def test_code_that_is_missing_is_refused(account):
    functions = account.client("lambda")
    settings = {"Role": "arn:aws:iam::123456789012:role/role", "Runtime": "python3.13", "Handler": "app.handler"}
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="NoSuchBucket"):
        functions.create_function(FunctionName="empty", Code={"S3Bucket": "none", "S3Key": "a"}, **settings)


class TestEventHandlers:
    @pytest.fixture(params=["api", "url", "balancer", "many"])
    def address(self, request, addresses):
        return addresses[request.param]

    def test_parts_of_the_path_arrive(self, address):
        answer = ask(address, path="/orders/A-1/items/7")
        assert (answer.status, answer.json) == (200, {"order": "A-1", "item": "7"})
        assert answer.get("content-type") == "application/json"

    def test_values_of_the_query_arrive(self, address, addresses):
        many = ["b"] if address == addresses["balancer"] else ["a", "b"]  # Lambda's targets get the last, unless told
        assert ask(address, path="/query?one=1&many=a&many=b").json == {"one": ["1"], "many": many}

    def test_bytes_arrive_and_come_back(self, address):
        sent = bytes(range(256))
        answer = ask(address, "POST", "/raw", sent, [("Content-Type", "application/octet-stream")])
        assert (answer.status, answer.body) == (200, sent[::-1])

    def test_cookies_are_set(self, address, addresses):
        every = ["a=1; Secure", "b=2"]
        wanted = every[-1:] if address == addresses["balancer"] else every  # one header of a name, unless told
        assert ask(address, path="/cookies").all("set-cookie") == wanted

    def test_a_browser_that_asks_first_is_answered(self, address):
        origin = ("Origin", "https://shop.example.com")
        asked = ask(address, "OPTIONS", "/query", headers=[origin, ("Access-Control-Request-Method", "GET")])
        assert asked.status == 204
        assert asked.get("access-control-allow-origin") == origin[1]
        assert "x-tenant" in asked.get("access-control-allow-headers")
        assert asked.get("access-control-max-age") == "60"

    @pytest.mark.parametrize(
        ("path", "status", "body"),
        [
            ("/nowhere", 404, {"statusCode": 404, "message": "Not found"}),
            ("/bad", 400, {"statusCode": 400, "message": "no such size"}),
            ("/mapped", 418, {"lacks": "tea"}),
        ],
    )
    def test_errors_are_what_the_handler_makes_of_them(self, address, path, status, body):
        answer = ask(address, path=path)
        assert (answer.status, answer.json) == (status, body)


def with_powertools():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        target.writestr("app.py", HTTP)
        place = fetched(locked("aws-lambda-powertools"))
        for file in sorted(place.rglob("*.py")):
            target.write(file, file.relative_to(place))
    return buffer.getvalue()


def behind_an_api(gateway, arn):
    api = gateway.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    integration = gateway.create_integration(
        ApiId=api,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations",
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")


def behind_a_balancer(account, name, arn):
    ec2, balancers = account.client("ec2"), account.client("elbv2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    balancer = balancers.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    group = balancers.create_target_group(Name=name, TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    headers = {"Key": "lambda.multi_value_headers.enabled", "Value": str(name == "many").lower()}
    balancers.modify_target_group_attributes(TargetGroupArn=group, Attributes=[headers])
    balancers.register_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
    action = {"Type": "forward", "TargetGroupArn": group}
    balancers.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[action])
