"""What a text must be like that names something on AWS: ARNs, ids, and the placeholders in them.

Each check takes the value and returns what is wrong with it, with expected and got; None if nothing is.
"""

import re
from collections.abc import Callable, Collection

from build.rules.words import did_you_mean, shown

PLACEHOLDERS = ("account", "env", "name", "partition", "region")
"""What ``{…}`` in a permission's resources may name."""
LAYER_ARN = r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+"
CUSTOM = r"\{custom\.[a-z][a-z0-9_]*\}"
"""What terraform/custom/ gives: filled in by Terraform, not here."""
FOREIGN_LAYER = ("arn:", "{")
"""How one of a function's layers begins that is no folder of the repository."""
SECRET_ARN = rf"arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:*?]*(-[A-Za-z0-9]{{6}}|{CUSTOM})"
"""A whole one. What comes before its last hyphen names no secret for IAM:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html#secret-arn"""
MANAGED_POLICY = r"((service-role|job-function)/)?[A-Za-z0-9+=,.@_-]{1,128}"
_BUS = r"[A-Za-z0-9/._-]{1,256}"
_PLACEHOLDER = r"(?<!\$)\{([^}]*)\}"


def layer(value: str) -> str | None:
    """Check one of a function's layers: an ARN must name a version; a folder is looked up later."""
    return foreign_layer(value) if value.startswith(FOREIGN_LAYER) else None


def foreign_layer(value: str) -> str | None:
    """Check the ARN of a layer version, or a placeholder of terraform/custom in its place."""
    if re.fullmatch(rf"{LAYER_ARN}|{CUSTOM}", value):
        return None
    expected = "expected the ARN of a layer version, ending in its number (…:layer:name:7), or {custom.NAME}"
    return f"{expected}, got {shown(value)}"


def resource(value: str) -> str | None:
    """Check a resource of a permission: an ARN with known placeholders, or ``*``."""
    if value != "*" and not re.match(CUSTOM, value) and not (value.startswith("arn:") and value.count(":") >= 5):
        example = "arn:aws:dynamodb:{region}:{account}:table/orders"
        return f'expected an ARN such as "{example}", or "*", got {shown(value)}'
    return _unknown_placeholder(value)


def wildcards(actions: Collection[str], resources: Collection[str]) -> list[str]:
    """Return what of a permission is so wide that it needs a reason."""
    # arn:aws:s3:::* is as bare as *: nothing after the fifth colon narrows it.
    return [
        *(action for action in actions if "*" in action or "?" in action),
        *(resource for resource in resources if resource.split(":", 5)[-1] == "*"),
    ]


def arn(*services: str) -> Callable[[str], str | None]:
    """Return a check for an ARN of one of ``services``, or a placeholder of terraform/custom in its place."""

    def problem(value: str) -> str | None:
        named = value.split(":")[2] if value.startswith("arn:") and value.count(":") >= 5 else None
        if named not in services and not re.fullmatch(CUSTOM, value):
            return f"expected an ARN of {' or '.join(services)}, or {{custom.NAME}}, got {shown(value)}"
        return _unknown_placeholder(value)

    return problem


def secret(value: str) -> str | None:
    """Check the ARN of a parameter, or the whole one of a secret, or a placeholder of terraform/custom in its place."""
    problem = arn("ssm", "secretsmanager")(value)
    if problem or not re.match(r"arn:[^:]*:secretsmanager:", value) or re.fullmatch(SECRET_ARN, value):
        return problem
    told = "`aws secretsmanager describe-secret --secret-id NAME --query ARN` tells it"
    got = shown(value.split(":", 5)[5])
    return f'expected the whole ARN of a secret, ending in "-" and six characters ({told}), got {got}'


def managed_policy(value: str) -> str | None:
    """Check a managed policy: the name of one of AWS's, or an ARN."""
    if value.startswith("arn:") or re.fullmatch(CUSTOM, value):
        return arn("iam")(value)
    if re.fullmatch(MANAGED_POLICY, value):
        return None
    return f'expected a policy of AWS by name, such as "AWSXRayDaemonWriteAccess", or an ARN, got {shown(value)}'


def identifier(prefix: str) -> Callable[[str], str | None]:
    """Return a check for ids such as ``subnet-0abc``, or a placeholder of terraform/custom in its place."""

    def problem(value: str) -> str | None:
        fits = re.fullmatch(CUSTOM, value) or re.fullmatch(rf"{prefix}-[0-9a-f]+", value)
        return None if fits else f'expected "{prefix}-…", or {{custom.NAME}}, got {shown(value)}'

    return problem


def _unknown_placeholder(value: str) -> str | None:
    for name in re.findall(_PLACEHOLDER, value):
        if name not in PLACEHOLDERS and not re.fullmatch(CUSTOM, f"{{{name}}}"):
            known = ", ".join(f"{{{placeholder}}}" for placeholder in (*PLACEHOLDERS, "custom.NAME"))
            return f"expected one of the placeholders {known}, got {{{name}}}{did_you_mean(name, PLACEHOLDERS)}"
    return None


def bus(value: str) -> str | None:
    """Check an event bus: its name, or its ARN."""
    if value.startswith(("arn:", "{")):
        return arn("events")(value)
    fits = re.fullmatch(_BUS, value)
    return None if fits else f'expected the name or ARN of an event bus, such as "default", got {shown(value)}'


def destination(value: str) -> str | None:
    """Check where it is told what failed: an ARN, or ``queue``."""
    if value == "queue":
        return None
    problem = arn("sqs", "sns", "lambda", "events")(value)
    return problem and problem.replace("expected ", 'expected "queue", or ', 1)
