"""Functions, called by those who answer HTTP, who wait only so long."""

import json
import re
import sys
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Any

from build.errors import SlipwayError
from build.local.function_names import FunctionName
from build.local.invoker import ACCOUNT_LIMIT, Invoker
from build.local.refusals import RequestTooLargeError, TooManyRequestsError

_URI = re.compile(r"(?:.*/functions/)?(arn:[\w-]+:lambda:[^/]+)(?:/invocations)?")


class Failure(Enum):
    """Why a function gave no answer."""

    SLOW = auto()
    THROTTLED = auto()
    TOO_LARGE = auto()
    """The event."""
    FAILED = auto()
    """It raised, timed out, crashed or did not start."""
    MISSING = auto()
    """There is none, or none that can run here."""


class Callers:
    """Calls functions. Any number of threads may use it."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._threads = ThreadPoolExecutor(max_workers=ACCOUNT_LIMIT, thread_name_prefix="http")

    def call(
        self, arn: str, event: Mapping[str, Any], *, limit_s: float, request_id: str | None = None
    ) -> bytes | Failure:
        """Return what the function ``arn`` answers to ``event``, or why it does not. It runs on after ``limit_s``."""
        name = function_of(arn)
        if name is None:
            return Failure.MISSING
        body = json.dumps(event).encode()
        waiting = self._threads.submit(self._called, name, body, request_id or str(uuid.uuid4()))
        try:
            return waiting.result(limit_s)
        except TimeoutError:
            return Failure.SLOW

    def _called(self, name: FunctionName, event: bytes, request_id: str) -> bytes | Failure:
        from werkzeug.exceptions import HTTPException

        try:
            outcome = self._invoker.invoke(name, event, request_id=request_id).outcome
        except TooManyRequestsError:
            return Failure.THROTTLED
        except RequestTooLargeError:
            return Failure.TOO_LARGE
        except (SlipwayError, HTTPException) as why:  # the latter is moto's, such as for an unknown function
            sys.stderr.write(f"{name.arn}: a request over HTTP found no function that runs\n{why}\n")
            return Failure.MISSING
        return Failure.FAILED if outcome.error else outcome.payload


def function_of(uri: str) -> FunctionName | None:
    """Return the function that ``uri`` names: an ARN, or that of its invocations as API Gateway writes it."""
    match = _URI.fullmatch(uri)
    if not match or match[1].count(":") < 6:
        return None
    _, _, _, region, account_id, _ = match[1].split(":", 5)
    return FunctionName.parse(match[1], None, region=region, account_id=account_id)
