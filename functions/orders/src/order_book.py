"""The record of orders taken, which makes taking one idempotent.

Taking an order is one conditional write: it succeeds for the first delivery and is refused for every
later one, which then gets the first one's receipt. There is no moment between doing and remembering.

Here the record is in SSM Parameter Store, because that needs no infrastructure. A real shop would put
it into a DynamoDB table (PutItem with attribute_not_exists), which takes thousands of writes a second,
items of 400 KB and an expiry date; Parameter Store takes few, 4 KB and 10,000 in all. Only this class
would change.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

import boto3
from botocore.config import Config

# Two attempts of at most 1 + 3 seconds and up to 1 between them: 9 s a call. `take` makes two calls at most.
_CONFIG = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2, "mode": "standard"})
TAKE_MILLISECONDS = 18_000

_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class InvalidOrderError(ValueError):
    """This is not an order, and never will be."""


class OrderConflictError(ValueError):
    """There is another order with the same id."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it came, over HTTP or from the queue."""

    order_id: str
    confirmation: str
    """Derived from the whole order: the same for the same order, whenever and however it comes."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a JSON object with an `orderId`; raise InvalidOrderError for anything else."""
        try:
            fields = json.loads(text)
        except ValueError:
            msg = "the order is not JSON"
            raise InvalidOrderError(msg) from None
        if not isinstance(fields, dict) or "orderId" not in fields:
            msg = "orderId is missing"
            raise InvalidOrderError(msg)
        order_id = fields["orderId"]
        if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
            msg = "orderId must be 1 to 64 letters, digits, - or _"
            raise InvalidOrderError(msg)
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return cls(order_id, hashlib.sha256(canonical.encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is remembered of an order taken."""

    orderId: str  # noqa: N815  # as it stands in the JSON
    confirmation: str
    takenAt: str  # noqa: N815


class OrderBook:
    """Orders taken, one parameter each below `/<name>/`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ssm: Any = boto3.client("ssm", config=_CONFIG)

    def take(self, order: Order) -> tuple[Receipt, bool]:
        """Return the order's receipt and whether this call is the one that took it.

        Raises OrderConflictError if an order of that id but another content was taken before.
        """
        parameter = f"/{self._name}/{order.order_id}"
        receipt = Receipt(order.order_id, order.confirmation, datetime.now(UTC).isoformat())
        try:
            self._ssm.put_parameter(Name=parameter, Value=json.dumps(asdict(receipt)), Type="String", Overwrite=False)
        except self._ssm.exceptions.ParameterAlreadyExists:
            first = Receipt(**json.loads(self._ssm.get_parameter(Name=parameter)["Parameter"]["Value"]))
        else:
            first = receipt
        if first.confirmation != order.confirmation:
            msg = f"another order has the orderId {order.order_id}"
            raise OrderConflictError(msg)
        # Equal to the microsecond, it is our own, even if a retry was refused because the first answer got lost.
        return first, first == receipt
