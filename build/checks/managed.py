"""What managed policies of AWS allow, as far as moto knows them."""

import json
from functools import cache
from typing import Any


def actions_of(policy: str) -> tuple[str, ...] | None:
    """Return the actions that ``policy`` of AWS allows, by its name or ARN; None for one that is not known in full."""
    name = policy.rpartition("/")[2] if not policy.startswith("arn:") or ":iam::aws:policy/" in policy else ""
    document = _documents().get(name, {}).get("Document", {"Statement": {"NotAction": "*"}})
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    if any("NotAction" in each for each in statements):
        return None
    allowed = [each["Action"] for each in statements if each["Effect"] == "Allow"]
    return tuple(action for each in allowed for action in ([each] if isinstance(each, str) else each))


@cache
def _documents() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    documents: dict[str, Any] = json.loads(aws_managed_policies_data)
    return documents
