import base64
import json
import socket
import threading
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def order():
    return {"orderId": f"test-{uuid.uuid4()}", "items": [{"sku": "teapot", "quantity": 1}]}


@pytest.fixture
def silent_endpoint():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def forgetful_endpoint(cloud):
    """Parameter Store whose first answer is lost on the way back."""
    answers = []

    class Forward(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            forwarded = urllib.request.Request(
                cloud.client("ssm").meta.endpoint_url, data=body, headers=dict(self.headers), method="POST"
            )
            try:
                with urllib.request.urlopen(forwarded) as response:
                    answers.append((response.status, response.read()))
            except urllib.error.HTTPError as error:
                answers.append((error.code, error.read()))
            if len(answers) == 1:
                self.close_connection = True
                return
            status, answer = answers[-1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    assert len(answers) > 1


def request(body):
    return {
        "version": "2.0",
        "routeKey": "POST /orders",
        "requestContext": {"http": {"method": "POST", "path": "/orders"}},
        "body": body,
        "isBase64Encoded": False,
    }


def batch(*bodies):
    records = [
        {"messageId": str(number), "receiptHandle": "-", "eventSource": "aws:sqs", "body": body}
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failed(answer):
    assert answer.error is None
    return [int(failure["itemIdentifier"]) for failure in answer.payload["batchItemFailures"]]


def body_of(answer):
    assert answer.payload["headers"] == {"content-type": "application/json"}
    return json.loads(answer.payload["body"])


def test_a_new_order_is_201_with_a_receipt(function, order):
    answer = function.invoke(request(json.dumps(order)))
    assert answer.payload["statusCode"] == 201
    receipt = body_of(answer)
    assert receipt["orderId"] == order["orderId"]
    assert receipt["confirmation"]


def test_a_base64_body_is_the_same_order(function, order):
    plain = function.invoke(request(json.dumps(order)))
    encoded = request(base64.b64encode(json.dumps(order).encode()).decode()) | {"isBase64Encoded": True}
    again = function.invoke(encoded)
    assert again.payload["statusCode"] == 200
    assert body_of(again) == body_of(plain)


def test_missing_order_id_is_400(function):
    answer = function.invoke(request('{"items": []}'))
    assert answer.payload["statusCode"] == 400
    assert body_of(answer) == {"error": "orderId is missing"}


@pytest.mark.parametrize("body", ["", None, "orderId=A-1", '{"orderId": "A-1"', "[1"])
def test_invalid_json_is_400(function, body):
    answer = function.invoke(request(body))
    assert answer.payload["statusCode"] == 400
    assert body_of(answer) == {"error": "the order is not JSON"}


def test_a_body_that_is_no_text_is_400(function):
    answer = function.invoke(request(base64.b64encode(b"\xff\xfe\xfd").decode()) | {"isBase64Encoded": True})
    assert answer.payload["statusCode"] == 400


@pytest.mark.parametrize("order_id", [None, 7, "", "../other", "a/b", "a b", "é", "x" * 65, "A-1\n"])
def test_an_order_id_that_cannot_be_a_key_is_400(function, order_id):
    answer = function.invoke(request(json.dumps({"orderId": order_id})))
    assert answer.payload["statusCode"] == 400
    assert "orderId must be" in body_of(answer)["error"]


@pytest.mark.parametrize("body", ["[]", '"orderId"', "null", "1"])
def test_json_that_is_no_object_is_400(function, body):
    assert function.invoke(request(body)).payload["statusCode"] == 400


def test_the_same_order_again_is_200_with_the_first_receipt_even_in_a_new_environment(function, order):
    first = function.invoke(request(json.dumps(order)))
    function.cold_start()
    again = function.invoke(request(json.dumps(order)))
    assert (first.payload["statusCode"], again.payload["statusCode"]) == (201, 200)
    assert body_of(again) == body_of(first)


def test_the_order_of_the_fields_makes_no_other_order(function, order):
    first = function.invoke(request(json.dumps(order)))
    again = function.invoke(request(json.dumps(dict(reversed(order.items())))))
    assert body_of(again) == body_of(first)


def test_another_order_with_the_same_id_is_409_and_the_first_one_stands(function, order):
    first = function.invoke(request(json.dumps(order)))
    other = function.invoke(request(json.dumps(order | {"items": []})))
    assert other.payload["statusCode"] == 409
    assert order["orderId"] in body_of(other)["error"]
    assert body_of(function.invoke(request(json.dumps(order)))) == body_of(first)


def test_an_order_whose_answer_got_lost_is_still_201_after_the_retry(function, order, forgetful_endpoint):
    answer = function.invoke(request(json.dumps(order)), environment={"AWS_ENDPOINT_URL_SSM": forgetful_endpoint})
    assert answer.payload["statusCode"] == 201
    assert body_of(function.invoke(request(json.dumps(order)))) == body_of(answer)


def test_a_redelivered_batch_succeeds_and_changes_nothing(function, order):
    assert failed(function.invoke(batch(json.dumps(order)))) == []
    receipt = body_of(function.invoke(request(json.dumps(order))))
    assert failed(function.invoke(batch(json.dumps(order)))) == []
    assert body_of(function.invoke(request(json.dumps(order)))) == receipt


def test_a_poisoned_message_fails_alone(function, order):
    bodies = ["not an order", json.dumps(order), "{}", json.dumps(order | {"items": []})]
    assert failed(function.invoke(batch(*bodies))) == [0, 2, 3]
    assert function.invoke(request(json.dumps(order))).payload["statusCode"] == 200


def test_a_batch_of_nothing_but_poison_is_no_error_of_the_function(function):
    assert failed(function.invoke(batch("", "[]"))) == [0, 1]


def test_no_failure_of_one_batch_reaches_into_the_next(function, order):
    assert failed(function.invoke(batch("not an order"))) == [0]
    assert failed(function.invoke(batch(json.dumps(order)))) == []


def test_without_the_order_book_every_message_comes_back(function, order):
    nowhere = {"AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1"}
    assert failed(function.invoke(batch(json.dumps(order)), environment=nowhere)) == [0]


@pytest.mark.slow
def test_a_silent_order_book_hands_the_batch_back_before_the_timeout(function, order, silent_endpoint):
    bodies = [json.dumps(order | {"orderId": f"{order['orderId']}-{number}"}) for number in range(10)]
    answer = function.invoke(batch(*bodies), environment={"AWS_ENDPOINT_URL_SSM": silent_endpoint})
    assert failed(answer) == list(range(10))


def test_logs_are_json_lines_that_name_the_order(function, order):
    answer = function.invoke(request(json.dumps(order)))
    (line,) = [json.loads(line) for line in answer.log.splitlines() if "order taken" in line]
    assert line["order_id"] == order["orderId"]
    assert line["service"] == "orders"
    assert line["function_request_id"]


def test_a_message_that_goes_back_is_logged_with_its_reason(function):
    answer = function.invoke(batch("not an order"))
    (line,) = [json.loads(line) for line in answer.log.splitlines() if "goes back to the queue" in line]
    assert line["message_id"] == "0"
    assert "the order is not JSON" in line["exception"]


def test_a_cold_start_logs_which_versions_run(function):
    function.cold_start()
    answer = function.invoke(request("{}"))
    (line,) = [json.loads(line) for line in answer.log.splitlines() if '"cold start"' in line]
    assert all(line["distributions"].values())
