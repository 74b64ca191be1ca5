"""Looks up an IAM user, and measures what it costs to make a boto3 client for every call.

What stands outside the handler runs once per execution environment, at its cold start; a hot
invocation finds it ready, its connection to AWS still open.
"""

import itertools
import time
from typing import Any

import boto3
from botocore.config import Config

# Two attempts of at most 1 + 3 seconds and up to 1 between them: 9, and the function has 10.
CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})


def make_client() -> tuple[Any, float]:
    """Return an IAM client from a new session, and the milliseconds that took."""
    begin = time.perf_counter()
    client = boto3.Session().client("iam", config=CONFIG)
    return client, _milliseconds_since(begin)


def find_user(client: Any, name: str) -> dict[str, str] | None:
    """Return what IAM knows of the user called `name`, or None if there is none."""
    try:
        user = client.get_user(UserName=name)["User"]
    except client.exceptions.NoSuchEntityException:
        return None
    return {
        "userName": user["UserName"],
        "userId": user["UserId"],
        "arn": user["Arn"],
        "created": user["CreateDate"].isoformat(),
    }


def _milliseconds_since(begin: float) -> float:
    return round((time.perf_counter() - begin) * 1000, 1)


SHARED_CLIENT, SHARED_CLIENT_MILLISECONDS = make_client()
_invocations = itertools.count(1)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Look up `event["userName"]`, by default with the shared client.

    `"variant": "per-call"` makes a client for this call alone. In the answer's `milliseconds`,
    `client` is what making one added to this invocation (0 when hot and shared), `call` the request.
    """
    name, variant = event.get("userName"), event.get("variant", "shared")
    if not isinstance(name, str) or not name or variant not in ("shared", "per-call"):
        msg = 'expected {"userName": "ada"}; "variant" may be shared or per-call'
        raise ValueError(msg)
    cold = next(_invocations) == 1
    if variant == "per-call":
        client, making = make_client()
    else:
        client, making = SHARED_CLIENT, SHARED_CLIENT_MILLISECONDS if cold else 0.0
    begin = time.perf_counter()
    user = find_user(client, name)
    milliseconds = {"client": making, "call": _milliseconds_since(begin)}
    return {"found": user is not None, "user": user, "variant": variant, "cold": cold, "milliseconds": milliseconds}
