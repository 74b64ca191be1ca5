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


def post(function, body, media_type="application/json", **options):
    return function.http("POST", "/orders", body=body, headers={"content-type": media_type}, **options)


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
    assert answer.headers == {"content-type": "application/json"}
    return answer.json


def test_nothing_but_a_post_to_orders_reaches_it(function):
    assert function.http("GET", "/orders").status == 404
    assert function.http("POST", "/orders/A-1").status == 404


def test_a_new_order_is_201_with_a_receipt(function, order):
    answer = function.http("POST", "/orders", json=order)
    assert answer.status == 201
    receipt = body_of(answer)
    assert receipt["orderId"] == order["orderId"]
    assert receipt["confirmation"]


def test_a_base64_body_is_the_same_order(function, order):
    plain = function.http("POST", "/orders", json=order)
    again = post(function, json.dumps(order).encode(), "application/octet-stream")
    assert again.status == 200
    assert body_of(again) == body_of(plain)


def test_missing_order_id_is_400(function):
    answer = function.http("POST", "/orders", json={"items": []})
    assert answer.status == 400
    assert body_of(answer) == {"error": "orderId is missing"}


@pytest.mark.parametrize("body", [b"", b"orderId=A-1", b'{"orderId": "A-1"', b"[1"])
def test_invalid_json_is_400(function, body):
    answer = post(function, body)
    assert answer.status == 400
    assert body_of(answer) == {"error": "the order is not JSON"}


def test_a_body_that_is_no_text_is_400(function):
    assert post(function, b"\xff\xfe\xfd").status == 400


@pytest.mark.parametrize("order_id", [None, 7, "", "../other", "a/b", "a b", "é", "x" * 65, "A-1\n"])
def test_an_order_id_that_cannot_be_a_key_is_400(function, order_id):
    answer = function.http("POST", "/orders", json={"orderId": order_id})
    assert answer.status == 400
    assert "orderId must be" in body_of(answer)["error"]


@pytest.mark.parametrize("body", [b"[]", b'"orderId"', b"null", b"1"])
def test_json_that_is_no_object_is_400(function, body):
    assert post(function, body).status == 400


def test_the_same_order_again_is_200_with_the_first_receipt_even_in_a_new_environment(function, order):
    first = function.http("POST", "/orders", json=order)
    function.cold_start()
    again = function.http("POST", "/orders", json=order)
    assert (first.status, again.status, again.reply.cold) == (201, 200, True)
    assert body_of(again) == body_of(first)


def test_the_order_of_the_fields_makes_no_other_order(function, order):
    first = function.http("POST", "/orders", json=order)
    again = function.http("POST", "/orders", json=dict(reversed(order.items())))
    assert body_of(again) == body_of(first)


def test_another_order_with_the_same_id_is_409_and_the_first_one_stands(function, order):
    first = function.http("POST", "/orders", json=order)
    other = function.http("POST", "/orders", json=order | {"items": []})
    assert other.status == 409
    assert order["orderId"] in body_of(other)["error"]
    assert body_of(function.http("POST", "/orders", json=order)) == body_of(first)


def test_an_order_whose_answer_got_lost_is_still_201_after_the_retry(function, order, forgetful_endpoint):
    forgetful = {"AWS_ENDPOINT_URL_SSM": forgetful_endpoint}
    answer = function.http("POST", "/orders", json=order, environment=forgetful)
    assert answer.status == 201
    assert body_of(function.http("POST", "/orders", json=order)) == body_of(answer)


def test_a_redelivered_batch_succeeds_and_changes_nothing(function, order):
    assert failed(function.invoke(batch(json.dumps(order)))) == []
    receipt = body_of(function.http("POST", "/orders", json=order))
    assert failed(function.invoke(batch(json.dumps(order)))) == []
    assert body_of(function.http("POST", "/orders", json=order)) == receipt


def test_a_poisoned_message_fails_alone(function, order):
    bodies = ["not an order", json.dumps(order), "{}", json.dumps(order | {"items": []})]
    assert failed(function.invoke(batch(*bodies))) == [0, 2, 3]
    assert function.http("POST", "/orders", json=order).status == 200


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
    answer = function.http("POST", "/orders", json=order).reply
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
    answer = function.invoke(batch())
    (line,) = [json.loads(line) for line in answer.log.splitlines() if '"cold start"' in line]
    assert all(line["distributions"].values())
