"""What a single value of a settings file must be like.

Each check takes the value and returns what is wrong with it, with expected and got; None if nothing is.
"""

import re
from collections.abc import Callable, Collection

from build.project import quotas
from build.project.naming import REPOSITORY_NAME_CHARS, did_you_mean, kebab_problem
from build.project.problems import shown

OWN_VARIABLES = "SLIPWAY_"
"""Prefix of the environment variables that Slipway sets itself."""

PLACEHOLDERS = ("account", "env", "name", "partition", "region")
"""What ``{…}`` in a permission's resources may name."""

HANDLER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
BUILT_IN = frozenset("atexit builtins errno faulthandler gc itertools marshal posix pwd sys time".split())
"""In every CPython. The runtime refuses a handler whose first name is one of them: Runtime.BuiltInModuleConflict."""
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]")
ACTION = re.compile(r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+")
LAYER_ARN = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+")
GITHUB_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]*[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.'()-]+(/[A-Za-z0-9!_.'()-]+)*")
"""Safe in every key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_PLACEHOLDER = re.compile(r"(?<!\$)\{([^}]*)\}")
_SEGMENT = re.compile(r"[A-Za-z0-9._~!$&'()*,;=:@%+-]*|\{[A-Za-z0-9._-]+\+?\}")


def between(low: int, high: int | None) -> Callable[[int], str | None]:
    """Return a check for numbers from ``low`` to ``high``, both included; None has no upper end."""
    bounds = f"at least {low}" if high is None else f"{low} … {high}"

    def problem(value: int) -> str | None:
        inside = value >= low and (high is None or value <= high)
        return None if inside else f"expected {bounds}, got {value}"

    return problem


def one_of(choices: Collection[int] | Collection[str]) -> Callable[[int | str], str | None]:
    """Return a check for values among ``choices``."""

    def problem(value: int | str) -> str | None:
        if value in choices:
            return None
        near = did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""
        return f"expected one of {', '.join(map(str, choices))}, got {shown(value)}{near}"

    return problem


def text(most: int) -> Callable[[str], str | None]:
    """Return a check for text that is not blank and has at most ``most`` characters."""

    def problem(value: str) -> str | None:
        fits = bool(value.strip()) and len(value) <= most
        return None if fits else f"expected 1 … {most} characters, got {len(value)}: {shown(value)}"

    return problem


def distinct(fewest: int) -> Callable[[tuple[str, ...]], str | None]:
    """Return a check for lists of at least ``fewest`` values, none of them twice."""

    def problem(values: tuple[str, ...]) -> str | None:
        if len(values) < fewest:
            return f"expected at least {fewest}, got an empty list"
        twice = sorted({value for value in values if values.count(value) > 1})
        return f"expected each once, got {', '.join(map(shown, twice))} twice" if twice else None

    return problem


def package(value: str) -> str | None:
    """Check a package type."""
    if value == "image":
        return 'container images are not supported by this version of Slipway; write package = "zip"'
    return None if value == "zip" else f'expected "zip", got {shown(value)}'


def handler(value: str) -> str | None:
    """Check a ``module.function`` string."""
    if "/" in value:
        return f'expected dots between packages: "{value.replace("/", ".")}", got {shown(value)}'
    if not HANDLER.fullmatch(value):
        return f'expected "module.function", such as "app.handler" for src/app.py, got {shown(value)}'
    if value.partition(".")[0] in BUILT_IN:
        return f"expected a module of your own: Lambda refuses what Python has built in, got {shown(value)}"
    most = quotas.HANDLER_CHARS
    return None if len(value) <= most else f"expected at most {most} characters, got {len(value)}"


def layer(value: str) -> str | None:
    """Check one of a function's layers: an ARN must name a version; a folder is looked up later."""
    return layer_arn(value) if value.startswith("arn:") else None


def layer_arn(value: str) -> str | None:
    """Check the ARN of a layer version."""
    if LAYER_ARN.fullmatch(value):
        return None
    return f"expected the ARN of a layer version, ending in its number (…:layer:name:7), got {shown(value)}"


def variable(name: str) -> str | None:
    """Check the name of an environment variable."""
    if name in quotas.RESERVED_VARIABLES:
        return "is set by Lambda and cannot be set here; choose another name"
    if name.startswith(OWN_VARIABLES):
        return f"is kept for Slipway, as every name that starts with {OWN_VARIABLES}; choose another name"
    if not VARIABLE.fullmatch(name):
        return "expected a name of at least two characters: a letter first, then letters, digits and _"
    return None


def repository_name(name: str) -> str | None:
    """Check the name that every AWS name starts with."""
    most = REPOSITORY_NAME_CHARS
    if len(name) > most:
        return f"expected at most {most} characters, so that AWS names fit, got {len(name)}: {shown(name)}"
    return kebab_problem(name)


def account_id(value: str) -> str | None:
    """Check an AWS account number."""
    return None if ACCOUNT.fullmatch(value) else f"expected twelve digits, got {shown(value)}"


def region(value: str) -> str | None:
    """Check the form of a region; which ones exist, AWS knows."""
    return None if REGION.fullmatch(value) else f'expected a region such as "eu-central-1", got {shown(value)}'


def bucket(name: str) -> str | None:
    """Check the name of an S3 bucket."""
    low, high = quotas.BUCKET_NAME_CHARS
    if _BUCKET.fullmatch(name) and low <= len(name) <= high and ".." not in name:
        return None
    return f"expected {low} … {high} characters of a-z, 0-9, hyphens and dots, got {len(name)}: {shown(name)}"


def remote_store(url: str) -> str | None:
    """Check the address of a remote store."""
    scheme, _, place = url.partition("://")
    name, slash, prefix = place.partition("/")
    if scheme != "s3" or (slash and not _PREFIX.fullmatch(prefix)):
        return f'expected "s3://bucket" or "s3://bucket/prefix", without a slash at its end, got {shown(url)}'
    return bucket(name)


def github_repository(value: str) -> str | None:
    """Check the name of a repository on GitHub."""
    return None if GITHUB_REPOSITORY.fullmatch(value) else f'expected "organisation/repository", got {shown(value)}'


def route(key: str) -> str | None:
    """Check a route key of an HTTP API."""
    if key == "$default":
        return None
    method, space, path = key.partition(" ")
    if not space or not path.startswith("/"):
        return f'expected "METHOD /path" or "$default", got {shown(key)}'
    if method not in quotas.HTTP_METHODS:
        upper = f'; did you mean "{method.upper()} {path}"?' if method.upper() in quotas.HTTP_METHODS else ""
        return f"expected one of the methods {', '.join(quotas.HTTP_METHODS)}, got {shown(method)}{upper}"
    return _path(path)


def _path(path: str) -> str | None:
    segments = path.split("/")[1:]
    wrong = next((segment for segment in segments if not _SEGMENT.fullmatch(segment)), None)
    if wrong is not None:
        return f"expected segments like orders, {{id}} and, as the last, {{rest+}}, got {shown(wrong)}"
    if any(segment.endswith("+}") for segment in segments[:-1]):
        return f"expected a greedy {{variable+}} as the last segment only, got {shown(path)}"
    variables = [segment.strip("{+}") for segment in segments if segment.startswith("{")]
    twice = {variable for variable in variables if variables.count(variable) > 1}
    return f"expected each path variable once, got {', '.join(sorted(twice))} twice" if twice else None


def action(value: str) -> str | None:
    """Check an IAM action."""
    fits = ACTION.fullmatch(value)
    return None if fits else f'expected "service:Action", such as "dynamodb:PutItem", got {shown(value)}'


def resource(value: str) -> str | None:
    """Check a resource of a permission: an ARN with known placeholders, or ``*``."""
    if value != "*" and not (value.startswith("arn:") and value.count(":") >= 5):
        example = "arn:aws:dynamodb:{region}:{account}:table/orders"
        return f'expected an ARN such as "{example}", or "*", got {shown(value)}'
    for name in _PLACEHOLDER.findall(value):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS)
            return f"expected one of the placeholders {known}, got {{{name}}}{did_you_mean(name, PLACEHOLDERS)}"
    return None


def wildcards(actions: Collection[str], resources: Collection[str]) -> list[str]:
    """Return what of a permission is so wide that it needs a reason."""
    # arn:aws:s3:::* is as bare as *: nothing after the fifth colon narrows it.
    return [
        *(action for action in actions if "*" in action or "?" in action),
        *(resource for resource in resources if resource.split(":", 5)[-1] == "*"),
    ]
