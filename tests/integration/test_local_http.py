"""HTTP APIs, function URLs and load balancers of the embedded cloud, over real sockets."""

import base64
import http.client
import io
import json
import socket
import subprocess
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from build.local import cloud
from build.local.variables import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from build.local.web.entries import entries, in_place
from tests.web import ask

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

ECHO = """
import base64, json, time

def handler(event, context):
    path = event.get("rawPath") or event["path"]
    if path.endswith("/raise"):
        raise ValueError("on purpose")
    if path.endswith("/exit"):
        import os; os._exit(3)
    if path.endswith("/malformed"):
        return {"statusCode": "a lot"}
    if path.endswith("/text"):
        return "Hello"
    if path.endswith("/nothing"):
        return {"statusCode": 204}
    if path.endswith("/image"):
        return {"statusCode": 200, "isBase64Encoded": True, "headers": {"Content-Type": "image/png"},
                "body": base64.b64encode(bytes(range(256))).decode()}
    if path.endswith("/many"):
        return {"statusCode": 200, "multiValueHeaders": {"X-Many": ["1", "2"]}, "body": "many"}
    if path.endswith("/cookies"):
        return {"statusCode": 200, "cookies": ["a=1; Path=/", "b=2"], "body": "",
                "headers": {"access-control-allow-origin": "https://function.example.com"}}
    return {"event": event, "arn": context.invoked_function_arn, "id": context.aws_request_id}
"""

FORMAT_1 = """
import json

def handler(event, context):
    if event["path"].endswith("/bare"):
        return {"no": "status code"}
    return {"statusCode": 200, "headers": {"X-One": "1"}, "multiValueHeaders": {"X-Many": ["1", "2"]},
            "body": json.dumps(event)}
"""

DOORKEEPER = """
calls = 0

def handler(event, context):
    global calls
    calls += 1
    token = (event.get("identitySource") or [""])[0]
    if token == "broken":
        return {"isAuthorized": "perhaps"}
    return {"isAuthorized": token == "sesame", "context": {"calls": calls, "route": event["routeArn"]}}
"""

POLICEMAN = """
def handler(event, context):
    effect = "Allow" if event["authorizationToken"] == "sesame" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    return {"principalId": "ada", "policyDocument": {"Statement": [statement]}, "context": {"role": "reader"}}
"""

SLOW = """
import time

def handler(event, context):
    time.sleep(3)
"""

BALANCED = """
import json

def handler(event, context):
    headers = {"Content-Type": "application/json"}
    if event["path"] == "/raise":
        raise ValueError
    if "multiValueHeaders" in event:
        return {"statusCode": 200, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}, "body": json.dumps(event)}
    return {"statusCode": 200, "statusDescription": "200 OK", "headers": headers, "body": json.dumps(event)}
"""


def archive(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("app.py", text)
    return buffer.getvalue()


class Account:
    """What the tests make in the embedded cloud."""

    def __init__(self, running):
        self.running = running
        keys = boto3.session.Session(ACCESS_KEY_ID, SECRET_ACCESS_KEY, region_name="us-east-1")
        self.client = lambda service: keys.client(service, endpoint_url=running.endpoint)
        self.gateway = self.client("apigatewayv2")
        self.lambda_ = self.client("lambda")
        self.role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def function(self, name, text, **settings):
        values = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 10, "Role": self.role, "Publish": True}
        made = self.lambda_.create_function(
            FunctionName=name, Code={"ZipFile": archive(text)}, **{**values, **settings}
        )
        self.lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return made["FunctionArn"].removesuffix(":1") + ":live"

    def api(self, name, stage="$default", **settings):
        api_id = self.gateway.create_api(Name=name, ProtocolType="HTTP", **settings)["ApiId"]
        self.gateway.create_stage(ApiId=api_id, StageName=stage, AutoDeploy=True)
        return api_id

    def route(self, api_id, key, arn, version="2.0", **settings):
        integration = self.gateway.create_integration(
            ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri(arn), PayloadFormatVersion=version
        )["IntegrationId"]
        self.gateway.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration}", **settings)

    def address(self, name):
        return next(entry.address for entry in entries(self.running) if entry.name == name)


def uri(arn):
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository")
    shared = ROOT / ".artifacts" / "local" / "runtime"
    shared.mkdir(parents=True, exist_ok=True)
    (root / ".artifacts" / "local").mkdir(parents=True)
    (root / ".artifacts" / "local" / "runtime").symlink_to(shared)
    running, _ = cloud.ensure(root)
    yield Account(running)
    cloud.stop(root)


@pytest.fixture(scope="module")
def echo(account):
    return account.function("echo", ECHO)


@pytest.fixture(scope="module")
def api(account, echo):
    api_id = account.api("shop")
    for key in ("POST /orders", "GET /orders/{id}", "ANY /files/{path+}", "GET /answers/{kind}"):
        account.route(api_id, key, echo)
    old = account.function("format-1", FORMAT_1)
    account.route(api_id, "GET /old/{kind}", old, "1.0")
    return api_id


@pytest.fixture(scope="module")
def shop(account, api):
    return account.address("shop")


def test_a_route_answers_where_the_cloud_says(account, api, shop):
    known = [entry for entry in entries(account.running) if entry.name == "shop"]
    route = next(entry for entry in known if entry.entry == "GET /orders/{id}")
    assert (route.kind, route.function, route.url) == ("http-api", "echo", f"{shop}/orders/{{id}}")
    assert in_place((f"https://{api}.execute-api.us-east-1.amazonaws.com", "https://other"), tuple(known)) == [
        shop,
        "https://other",
    ]
    event = ask(shop, path="/orders/A%2F1?q=a%20b&q=c").json["event"]
    assert event["routeKey"] == "GET /orders/{id}"
    assert event["pathParameters"] == {"id": "A/1"}
    assert event["rawPath"] == "/orders/A/1"
    assert (event["rawQueryString"], event["queryStringParameters"]) == ("q=a%20b&q=c", {"q": "a b,c"})


def test_the_alias_is_called(shop):
    assert ask(shop, path="/orders/1").json["arn"].endswith(":echo:live")


def test_headers_cookies_and_the_context_reach_the_function(shop, api):
    headers = [("X-Many", "1"), ("X-Many", "2"), ("Cookie", "a=1; b=2"), ("User-Agent", "test"), ("X-Name", "Zoë")]
    event = ask(shop, path="/orders/1", headers=[(n, v.encode()) for n, v in headers]).json["event"]
    assert event["headers"]["x-many"] == "1,2"
    assert event["headers"]["x-name"] == "Zoë"
    assert event["headers"]["host"] == urlsplit(shop).netloc
    assert "cookie" not in event["headers"]
    assert event["cookies"] == ["a=1", "b=2"]
    context = event["requestContext"]
    assert context["apiId"] == context["domainPrefix"] == api
    assert context["http"] == {
        "method": "GET",
        "path": "/orders/1",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }


def test_bodies_arrive_as_text_or_in_base64(shop):
    body = '{"a": "ä"}'.encode()
    event = ask(shop, "POST", "/orders", body, [("Content-Type", "application/json")]).json["event"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "ä"}', False)
    event = ask(shop, "POST", "/orders", b"\0\xff", [("Content-Type", "image/png")]).json["event"]
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\0\xff", True)


def test_a_body_in_chunks_arrives_whole(shop):
    where = urlsplit(shop)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    pieces = [b"x" * 70_000, b"y" * 3]
    connection.request("POST", "/orders", iter(pieces), {"Content-Type": "text/plain"}, encode_chunked=True)
    assert json.loads(connection.getresponse().read())["event"]["body"] == "x" * 70_000 + "yyy"
    connection.close()


def test_curl_is_answered(shop):
    def curl(*arguments):
        command = ["curl", "-sS", "-w", "\n%{http_code}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.rsplit("\n", 1)

    body, status = curl("-d", '{"a": 1}', f"{shop}/orders")
    assert status == "200"
    assert base64.b64decode(json.loads(body)["event"]["body"]) == b'{"a": 1}'  # curl calls it a form
    assert curl("-I", f"{shop}/files/a")[1] == "200"
    large = "x" * 2_000_000  # curl asks first whether it may send that much
    body, status = curl("-d", "@-", "-H", "Content-Type: text/plain", "-H", "Expect: 100-continue", f"{shop}/orders")
    assert status == "200"
    sent = subprocess.run(
        ["curl", "-sS", "-H", "Content-Type: text/plain", "-H", "Expect: 100-continue", "-d", "@-", f"{shop}/orders"],
        input=large,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(sent.stdout)["event"]["body"] == large


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/nowhere", 404, b'{"message":"Not Found"}'),
        ("DELETE", "/orders", 404, b'{"message":"Not Found"}'),
        ("GET", "/answers/raise", 500, b'{"message":"Internal Server Error"}'),
        ("GET", "/answers/exit", 500, b'{"message":"Internal Server Error"}'),
        ("GET", "/answers/malformed", 500, b'{"message":"Internal Server Error"}'),
        ("GET", "/old/bare", 500, b'{"message":"Internal Server Error"}'),
        ("GET", "/answers/text", 200, b"Hello"),
        ("GET", "/answers/nothing", 204, b""),
        ("GET", "/answers/image", 200, bytes(range(256))),
        ("HEAD", "/files/a/b", 200, b""),
    ],
)
def test_what_the_function_says_is_what_the_caller_gets(shop, method, path, status, body):
    answer = ask(shop, method, path)
    assert (answer.status, answer.body) == (status, body)
    assert answer.get("apigw-requestid")


def test_every_cookie_is_a_header(shop):
    assert ask(shop, path="/answers/cookies").all("set-cookie") == ["a=1; Path=/", "b=2"]


def test_format_1_is_told_and_read(shop):
    answer = ask(shop, path="/old/x?q=1&q=2", headers=[("X-Many", "1"), ("X-Many", "2")])
    assert answer.all("x-many") == ["1", "2"]
    assert answer.get("x-one") == "1"
    event = answer.json
    assert (event["version"], event["resource"], event["path"]) == ("1.0", "/old/{kind}", "/old/x")
    assert event["multiValueHeaders"]["x-many"] == ["1", "2"]
    assert event["multiValueQueryStringParameters"] == {"q": ["1", "2"]}
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def test_what_is_too_large_is_refused(shop):
    text = [("Content-Type", "text/plain")]
    assert ask(shop, "POST", "/orders", b"x" * 11_000_000, text).status == 413
    assert ask(shop, "POST", "/orders", b"x" * 7_000_000, text).status == 413  # more than an event may have
    assert ask(shop, path="/orders/1", headers=[("X-Long", "x" * 10_300)]).status == 431


def test_a_connection_is_kept_for_the_next_request(shop):
    where = urlsplit(shop)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    connection.connect()
    first = connection.sock
    for path in ("/orders/1", "/nowhere", "/orders/2"):
        connection.request("GET", path)
        connection.getresponse().read()
        assert connection.sock is first
    connection.close()


def test_what_is_no_http_harms_nobody(shop):
    where = urlsplit(shop)
    for said in (b"hello\r\n\r\n", b"POST /orders HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"\0\0\0\0\r\n"):
        with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
            connection.sendall(said)
            assert b"400" in connection.recv(4096)
    assert ask(shop, path="/orders/1").status == 200


def test_a_body_that_breaks_off_reaches_nobody(shop):
    where = urlsplit(shop)
    for head in (b"Content-Length: 10", b"Transfer-Encoding: chunked"):
        with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
            connection.sendall(b"POST /orders HTTP/1.1\r\nHost: h\r\n" + head + b"\r\n\r\n5\r\nab")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(4096).startswith(b"HTTP/1.1 400")


def test_requests_at_once_are_all_answered(shop):
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda number: ask(shop, path=f"/orders/{number}"), range(40)))
    assert [answer.json["event"]["pathParameters"]["id"] for answer in answers] == [str(n) for n in range(40)]


def test_a_route_made_later_answers_at_once_and_one_taken_away_does_not(account, api, shop, echo):
    account.route(api, "GET /later", echo)
    assert ask(shop, path="/later").status == 200
    route = next(each for each in account.gateway.get_routes(ApiId=api)["Items"] if each["RouteKey"] == "GET /later")
    account.gateway.delete_route(ApiId=api, RouteId=route["RouteId"])
    assert ask(shop, path="/later").status == 404


def test_an_api_that_is_gone_answers_404_and_then_its_port_is_closed(account, echo):
    api_id = account.api("passing")
    account.route(api_id, "$default", echo)
    address = account.address("passing")
    assert ask(address).status == 200
    account.gateway.delete_api(ApiId=api_id)
    assert ask(address).status == 404
    entries(account.running)
    with pytest.raises(ConnectionRefusedError):
        ask(address)


def test_a_named_stage_is_part_of_the_path(account, echo):
    api_id = account.api("staged", stage="beta")
    account.route(api_id, "GET /orders", echo)
    entry = next(entry for entry in entries(account.running) if entry.name == "staged")
    assert entry.url == f"{entry.address}/beta/orders"
    event = ask(entry.address, path="/beta/orders").json["event"]
    assert (event["requestContext"]["stage"], event["rawPath"]) == ("beta", "/beta/orders")
    assert ask(entry.address, path="/orders").status == 404


def test_browsers_get_an_answer_before_they_ask(account, echo):
    cors = {"AllowOrigins": ["https://a.example.com"], "AllowMethods": ["GET"], "AllowHeaders": ["x-a"], "MaxAge": 60}
    api_id = account.api("page", CorsConfiguration={**cors, "AllowCredentials": True})
    account.route(api_id, "GET /{kind}", echo)
    address = account.address("page")
    origin = ("Origin", "https://a.example.com")
    asked = ask(address, "OPTIONS", "/x", headers=[origin, ("Access-Control-Request-Method", "GET")])
    assert (asked.status, asked.body) == (204, b"")
    assert asked.get("access-control-allow-origin") == origin[1]
    assert asked.get("access-control-allow-methods") == "GET"
    assert asked.get("access-control-allow-headers") == "x-a"
    assert asked.get("access-control-max-age") == "60"
    got = ask(address, path="/cookies", headers=[origin])  # the function's own header does not count
    assert got.all("access-control-allow-origin") == [origin[1]]
    assert got.get("access-control-allow-credentials") == "true"
    stranger = ask(address, path="/cookies", headers=[("Origin", "https://b.example.com")])
    assert stranger.all("access-control-allow-origin") == []


def test_a_default_route_takes_what_browsers_ask_unless_another_does(account, echo):
    """As documented under "CORS for an HTTP API with a $default route and an authorizer"."""
    api_id = account.api("catch-all", CorsConfiguration={"AllowOrigins": ["*"], "AllowMethods": ["*"]})
    account.route(api_id, "$default", echo, AuthorizationType="AWS_IAM")
    address = account.address("catch-all")
    asking = [("Origin", "https://a.example.com"), ("Access-Control-Request-Method", "PUT")]
    assert ask(address, "OPTIONS", "/x", headers=asking).status == 403
    account.route(api_id, "OPTIONS /{path+}", echo)
    asked = ask(address, "OPTIONS", "/x", headers=asking)
    assert (asked.status, asked.get("access-control-allow-methods")) == (200, "*")
    assert asked.all("access-control-allow-origin") == ["*"]


def test_the_same_name_has_the_same_port_after_a_restart(tmp_path):
    ports = []
    for _ in range(2):
        running, _ = cloud.ensure(tmp_path)
        try:
            account = Account(running)
            account.route(account.api("shop"), "$default", "arn:aws:lambda:us-east-1:123456789012:function:gone")
            address = account.address("shop")
            assert ask(address).status == 500  # nobody is there to answer
            ports.append(urlsplit(address).port)
        finally:
            cloud.stop(tmp_path)
    assert ports[0] == ports[1]


def test_more_requests_than_a_route_takes_are_refused(account, echo):
    api_id = account.api("narrow")
    account.route(api_id, "GET /a", echo)
    account.route(api_id, "GET /b", echo)
    settings = {"GET /a": {"ThrottlingRateLimit": 0.01, "ThrottlingBurstLimit": 2}}
    account.gateway.update_stage(ApiId=api_id, StageName="$default", RouteSettings=settings)
    address = account.address("narrow")
    assert [ask(address, path="/a").status for _ in range(3)] == [200, 200, 429]
    assert ask(address, path="/b").status == 200


def test_a_function_that_decides_is_asked_and_remembered(account, echo):
    keeper = account.function("doorkeeper", DOORKEEPER)
    api_id = account.api("guarded")
    authorizer = account.gateway.create_authorizer(
        ApiId=api_id,
        AuthorizerType="REQUEST",
        Name="keeper",
        AuthorizerUri=uri(keeper),
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        IdentitySource=["$request.header.Authorization"],
        AuthorizerResultTtlInSeconds=60,
    )["AuthorizerId"]
    account.route(api_id, "GET /a", echo, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    address = account.address("guarded")

    def told(token):
        return ask(address, path="/a", headers=[("Authorization", token)])

    first, second = told("sesame"), told("sesame")
    assert first.json["event"]["requestContext"]["authorizer"] == {
        "lambda": {"calls": 1, "route": f"arn:aws:execute-api:us-east-1:123456789012:{api_id}/$default/GET/a"}
    }
    assert second.json["event"]["requestContext"]["authorizer"]["lambda"]["calls"] == 1
    assert (told("wrong").status, told("wrong").body) == (403, b'{"message":"Forbidden"}')
    assert told("broken").status == 500
    assert (ask(address, path="/a").status, ask(address, path="/a").body) == (401, b'{"message":"Unauthorized"}')


def test_a_policy_decides_too(account):
    policeman = account.function("policeman", POLICEMAN)
    api_id = account.api("policed")
    authorizer = account.gateway.create_authorizer(
        ApiId=api_id,
        AuthorizerType="REQUEST",
        Name="policeman",
        AuthorizerUri=uri(policeman),
        AuthorizerPayloadFormatVersion="1.0",
        IdentitySource=["$request.querystring.token"],
    )["AuthorizerId"]
    old = f"{account.lambda_.get_function(FunctionName='format-1')['Configuration']['FunctionArn']}"
    account.route(api_id, "GET /a", old, "1.0", AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    address = account.address("policed")
    assert ask(address, path="/a?token=wrong").status == 403
    event = ask(address, path="/a?token=sesame").json
    assert event["requestContext"]["authorizer"] == {"principalId": "ada", "role": "reader"}


@pytest.fixture(scope="module")
def issuer():
    """Give an issuer that publishes its key, as OpenID Connect has it, and what it signs."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    told = {"n": coded(numbers.n.to_bytes(256)), "e": coded(numbers.e.to_bytes(3)), "kty": "RSA", "kid": "1"}

    class Publisher(BaseHTTPRequestHandler):
        def do_GET(self):
            document = {"keys": [told]} if self.path == "/keys" else {"jwks_uri": f"{where}/keys"}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_):
            pass

    def sign(**claims):
        signed = f"{coded(json.dumps({'alg': 'RS256', 'kid': '1'}).encode())}.{coded(json.dumps(claims).encode())}"
        return f"{signed}.{coded(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    with HTTPServer(("127.0.0.1", 0), Publisher) as server:
        where = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield where, sign
        server.shutdown()


def coded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_tokens_are_checked_with_the_keys_of_their_issuer(account, echo, issuer):
    where, sign = issuer
    api_id = account.api("members")
    authorizer = account.gateway.create_authorizer(
        ApiId=api_id,
        AuthorizerType="JWT",
        Name="people",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": where, "Audience": ["shop"]},
    )["AuthorizerId"]
    token = {"AuthorizationType": "JWT", "AuthorizerId": authorizer}
    account.route(api_id, "GET /a", echo, **token)
    account.route(api_id, "GET /b", echo, **token, AuthorizationScopes=["write"])
    address = account.address("members")

    def told(path="/a", **claims):
        whole = {"iss": where, "aud": "shop", "exp": int(time.time()) + 60, "groups": ["a", "b"], **claims}
        return ask(address, path=path, headers=[("Authorization", f"Bearer {sign(**whole)}")])

    jwt = told(scope="read write").json["event"]["requestContext"]["authorizer"]["jwt"]
    assert (jwt["claims"]["groups"], jwt["claims"]["aud"], jwt["scopes"]) == ("[a b]", "shop", None)
    assert told("/b", scope="read write").status == 200
    lacking = told("/b", scope="read")
    assert (lacking.status, lacking.body) == (403, b'{"message":"Forbidden"}')
    assert 'error="insufficient_scope"' in lacking.get("www-authenticate")
    other = told(aud="other")
    assert (other.status, other.body) == (401, b'{"message":"Unauthorized"}')
    assert 'error_description="the token does not have a valid audience"' in other.get("www-authenticate")
    assert told(exp=1).status == told(iss="https://other.example.com").status == 401
    assert ask(address, path="/a").status == 401


def signed(service, method, url, body=b"", *, key=ACCESS_KEY_ID, secret=SECRET_ACCESS_KEY):
    request = AWSRequest(method, url, data=body, headers={"Content-Type": "text/plain"})
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return list(request.headers.items())


def test_signed_requests_pass_where_iam_wants_them(account, echo):
    api_id = account.api("signed")
    account.route(api_id, "POST /a/{id}", echo, AuthorizationType="AWS_IAM")
    address = account.address("signed")
    path = "/a/b%20c?z=1&a=%2F"
    ours = signed("execute-api", "POST", f"{address}{path}", b"body")
    caller = ask(address, "POST", path, b"body", ours).json["event"]["requestContext"]["authorizer"]["iam"]
    assert (caller["accessKey"], caller["accountId"]) == (ACCESS_KEY_ID, "123456789012")
    assert ask(address, "POST", path, b"other", ours).status == 403
    assert ask(address, "POST", path, b"body").status == 403
    wrong = signed("execute-api", "POST", f"{address}{path}", b"body", secret="other")
    assert ask(address, "POST", path, b"body", wrong).body == b'{"message":"Forbidden"}'


def test_curl_signs_for_a_function_url(account):
    account.function("private", ECHO)
    account.lambda_.create_function_url_config(FunctionName="private", AuthType="AWS_IAM", Qualifier="live")
    address = account.address("private")
    assert (ask(address).status, ask(address).body) == (403, b'{"Message":"Forbidden"}')
    command = [
        "curl",
        "-sS",
        "--aws-sigv4",
        "aws:amz:us-east-1:lambda",
        "--user",
        f"{ACCESS_KEY_ID}:{SECRET_ACCESS_KEY}",
    ]
    shown = subprocess.run([*command, f"{address}/x?a=1"], capture_output=True, text=True, check=True, timeout=60)
    event = json.loads(shown.stdout)["event"]
    assert event["requestContext"]["authorizer"]["iam"]["accessKey"] == ACCESS_KEY_ID
    assert event["requestContext"]["accountId"] == "123456789012"


def test_keys_made_in_iam_sign_as_well(account):
    iam = account.client("iam")
    iam.create_user(UserName="ada")
    key = iam.create_access_key(UserName="ada")["AccessKey"]
    address = account.address("private")
    ours = signed("lambda", "GET", f"{address}/", key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert ask(address, headers=ours).status == 200


@pytest.fixture(scope="module")
def public(account):
    account.function("public", ECHO)
    account.lambda_.create_function_url_config(
        FunctionName="public", AuthType="NONE", Qualifier="live", Cors={"AllowOrigins": ["*"], "AllowMethods": ["GET"]}
    )
    return account.address("public")


def test_a_function_url_tells_of_the_request_as_it_was_sent(public):
    answer = ask(public, path="/a%2Fb?x=1")
    event = answer.json["event"]
    assert (event["rawPath"], event["routeKey"], event["requestContext"]["accountId"]) == (
        "/a%2Fb",
        "$default",
        "anonymous",
    )
    assert "authorizer" not in event["requestContext"]
    assert event["requestContext"]["domainName"].endswith(".lambda-url.us-east-1.on.aws")
    assert answer.get("x-amzn-requestid") == event["requestContext"]["requestId"] == answer.json["id"]
    assert answer.json["arn"].endswith(":public:live")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/raise", 502, b"Internal Server Error"),
        ("/malformed", 502, b"Internal Server Error"),
        ("/text", 200, b'"Hello"'),
        ("/image", 200, bytes(range(256))),
    ],
)
def test_a_function_url_reads_the_answer(public, path, status, body):
    answer = ask(public, path=path)
    assert (answer.status, answer.body) == (status, body)


def test_a_function_url_answers_browsers_itself(public):
    preflight = [("Origin", "https://a.example.com"), ("Access-Control-Request-Method", "GET")]
    asked = ask(public, "OPTIONS", "/raise", headers=preflight)
    assert (asked.status, asked.get("access-control-allow-origin")) == (200, "*")
    assert ask(public, headers=preflight[:1]).all("access-control-allow-origin") == ["*"]


def test_a_busy_function_is_429_at_its_url_and_503_at_an_api(account):
    slow = account.function("slow", SLOW)
    account.lambda_.put_function_concurrency(FunctionName="slow", ReservedConcurrentExecutions=1)
    account.lambda_.create_function_url_config(FunctionName="slow", AuthType="NONE", Qualifier="live")
    api_id = account.api("busy")
    account.route(api_id, "GET /slow", slow)
    url, address = account.address("slow"), account.address("busy")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(ask, url)
        time.sleep(1)
        assert ask(url).status == 429
        assert (ask(address, path="/slow").status, ask(address, path="/slow").body) == (
            503,
            b'{"message":"Service Unavailable"}',
        )
        assert (first.result().status, first.result().body) == (200, b"null")


def test_an_api_waits_only_as_long_as_the_integration_says(account):
    slow = account.function("slower", SLOW)
    api_id = account.api("impatient")
    account.route(api_id, "GET /slow", slow)
    integration = account.gateway.get_integrations(ApiId=api_id)["Items"][0]["IntegrationId"]
    account.gateway.update_integration(ApiId=api_id, IntegrationId=integration, TimeoutInMillis=500)
    began = time.monotonic()
    assert ask(account.address("impatient"), path="/slow").status == 503
    assert time.monotonic() - began < 2.5


def test_a_load_balancer_sends_what_its_rules_say(account):
    ec2, balancers = account.client("ec2"), account.client("elbv2")
    subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]
    balancer = balancers.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "nobody"}}
    listener = balancers.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[fixed])[
        "Listeners"
    ][0]["ListenerArn"]
    arn = account.function("balanced", BALANCED)
    groups = {}
    for priority, (name, path) in enumerate((("single", "/single*"), ("multi", "/multi"), ("failing", "/raise")), 1):
        group = balancers.create_target_group(Name=name, TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
        many = {"Key": "lambda.multi_value_headers.enabled", "Value": str(name == "multi").lower()}
        balancers.modify_target_group_attributes(TargetGroupArn=group, Attributes=[many])
        balancers.register_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
        balancers.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        groups[name] = group
    address = account.address("front:80")
    event = ask(address, path="/single/%41?q=a%20b&q=c", headers=[("X-Many", "1"), ("X-Many", "2")]).json
    assert event["requestContext"] == {"elb": {"targetGroupArn": groups["single"]}}
    assert (event["path"], event["queryStringParameters"], event["headers"]["x-many"]) == (
        "/single/%41",
        {"q": "c"},
        "2",
    )
    answer = ask(address, path="/multi?q=a%20b&q=c", headers=[("X-Many", "1"), ("X-Many", "2")])
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.json["multiValueQueryStringParameters"] == {"q": ["a%20b", "c"]}
    assert ask(address, path="/raise").status == 502
    assert (ask(address, path="/other").status, ask(address, path="/other").body) == (404, b"nobody")
