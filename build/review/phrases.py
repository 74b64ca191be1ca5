"""How permissions and sizes are said in English."""

import json
import re
from collections.abc import Iterable

from build.inspection.sizes import shown_bytes
from build.review.policies import ANYONE, EVERYTHING_BUT

_OPERATORS = {
    "ArnEquals": "is",
    "ArnLike": "is like",
    "ArnNotEquals": "is not",
    "ArnNotLike": "is not like",
    "Bool": "is",
    "StringEquals": "is",
    "StringLike": "is like",
    "StringNotEquals": "is not",
    "StringNotLike": "is not like",
}
_SERVICES = {"sqs": "queue", "sns": "topic", "s3": "bucket", "kms": "KMS", "ssm": "", "lambda": ""}


def resource_words(resource: str) -> str:
    """Return ``table orders-prod (arn:…)`` for an ARN, ``everything (*)`` for a star."""
    if resource == ANYONE:
        return "everything (*)"
    if resource.startswith(EVERYTHING_BUT):
        return f"everything but {resource[1:]}"
    if resource.startswith("function:"):
        return resource.replace(":", " ", 1)
    parts = resource.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return resource
    service, name = parts[2], parts[5]
    if service == "s3":
        bucket, _, key = name.partition("/")
        return f"{f'objects {key} of ' if key else ''}bucket {bucket} ({resource})"
    word = _SERVICES.get(service, "")
    spoken = re.sub(r"^([a-z-]+)[/:]", r"\1 ", name)
    return f"{f'{word} ' if word else ''}{spoken} ({resource})"


def sentence(effect: str, appears: bool, actions: Iterable[str], resources: Iterable[str], condition: str) -> str:
    """Return what somebody may do from now on, or no longer, without saying who."""
    verbs = {
        ("Allow", True): "may now",
        ("Allow", False): "may no longer",
        ("Deny", True): "is now denied",
        ("Deny", False): "is no longer denied",
    }
    does = ", ".join(_action_words(each) for each in actions)
    places = ", ".join(resource_words(each) for each in resources if each)
    on = f" on {places}" if places else ""
    return f"{verbs[effect, appears]} {does}{on}{f' if {condition_words(condition)}' if condition else ''}"


def condition_words(condition: str) -> str:
    """Return canonical JSON of a Condition as ``aws:sourcearn is like arn:… and …``."""
    return " and ".join(
        f"{key} {_OPERATORS.get(operator, operator)} {' or '.join(values)}"
        for operator, keys in json.loads(condition).items()
        for key, values in keys.items()
    )


def anyone_or(principal: str) -> str:
    """Return ``anyone`` for ``*``, else the principal."""
    if principal.startswith(EVERYTHING_BUT):
        return f"anyone but {principal[1:]}"
    return "anyone" if principal == ANYONE else principal


def delta(before: int, after: int) -> str:
    """Return ``1.2 MB → 3.2 MB (+1.9 MB)``; ``3.2 MB`` of what is new."""
    if not before:
        return shown_bytes(after)
    step = after - before
    return f"{shown_bytes(before)} → {shown_bytes(after)} ({'+' if step >= 0 else '−'}{shown_bytes(abs(step))})"


def _action_words(action: str) -> str:
    if action.startswith(EVERYTHING_BUT):
        return f"do anything but {action[1:]}"
    return "do anything (*)" if action == ANYONE else action
