"""Which requests the embedded cloud's door lets in side by side."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from build.local.front import Front


class Moto:
    """Counts how many requests are inside at once."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.guard = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        with self.guard:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.02)
        with self.guard:
            self.inside -= 1
        return [b""]


def ask(front: Front, service: str) -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=test/20260131/us-east-1/{service}/aws4_request, SignedHeaders=host"
    front({"PATH_INFO": "/", "REQUEST_METHOD": "POST", "HTTP_AUTHORIZATION": scope}, lambda *_: None)


def most_at_once(services: list[str], *, met: bool) -> int:
    moto = Moto()
    front = Front(moto, None, nonce="n")  # type: ignore[arg-type]  # nobody invokes
    if met:
        for service in set(services):
            ask(front, service)
    with ThreadPoolExecutor(len(services)) as pool:
        for done in [pool.submit(ask, front, service) for service in services]:
            done.result()
    return moto.most


@pytest.mark.parametrize("service", ["lambda", "iam", "monitoring"])
def test_what_changes_while_others_read_it_is_answered_one_by_one(service):
    assert most_at_once([service] * 6, met=True) == 1


def test_so_are_those_that_look_into_each_other():
    assert most_at_once(["lambda", "iam", "logs", "monitoring"], met=True) == 1


def test_others_do_not_wait_for_them():
    assert most_at_once(["lambda", "sqs", "s3"], met=True) > 1


def test_requests_that_may_wait_for_something_do_not_hold_up_others():
    assert most_at_once(["sqs"] * 6, met=True) > 1


def test_the_first_of_a_service_is_alone():
    moto = Moto()
    front = Front(moto, None, nonce="n")  # type: ignore[arg-type]  # nobody invokes
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, front, "s3")
        second = pool.submit(ask, front, "s3")
        first.result()
        second.result()
    assert moto.most == 1


def test_it_tells_what_answers_where():
    front = Front(Moto(), None, nonce="n", entries=lambda: [{"entry": "GET /a"}])  # type: ignore[arg-type]
    told = []
    body = front({"PATH_INFO": "/_slipway/entries", "REQUEST_METHOD": "GET"}, lambda *said: told.append(said))
    assert json.loads(b"".join(body)) == [{"entry": "GET /a"}]
    assert told[0][0] == "200 OK"
