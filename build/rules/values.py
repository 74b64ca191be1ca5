"""What a single value of a settings file must be like.

Each check takes the value and returns what is wrong with it, with expected and got; None if nothing is.
"""

import re
from collections.abc import Callable, Collection

from build.rules import quotas
from build.rules.references import Reference
from build.rules.words import did_you_mean, kebab_problem, shown

OWN_VARIABLES = "SLIPWAY_"
"""Prefix of the environment variables that Slipway sets itself."""

OWN_TAGS = ("env", "slipway")
"""Tags that Slipway gives to everything."""

OWN_STACK = "default"
"""How the stack of functions that name none is called."""

HANDLER = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+"
BUILT_IN = frozenset("atexit builtins errno faulthandler gc itertools marshal posix pwd sys time".split())
"""In every CPython. The runtime refuses a handler whose first name is one of them: Runtime.BuiltInModuleConflict."""
VARIABLE = r"[A-Za-z][A-Za-z0-9_]+"
ACCOUNT = r"[0-9]{12}"
REGION = r"(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]"
ACTION = r"\*|[a-z0-9-]+:[A-Za-z0-9*?]+"
GITHUB_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+"
_BUCKET = r"[a-z0-9][a-z0-9.-]*[a-z0-9]"
_PREFIX = r"[A-Za-z0-9!_.'()-]+(/[A-Za-z0-9!_.'()-]+)*"
"""Safe in every key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
BUILD_ARGUMENT = r"[A-Za-z_][A-Za-z0-9_]*"
BUILD_WORD = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
BUILD_SECRET = rf"env={BUILD_ARGUMENT}|src=[^,\s][^,]*"
"""No comma: it would end the word for the tools."""
MOUNT = r"/mnt/[A-Za-z0-9_.-]+"
_BUCKET_EVENT = r"s3:[A-Za-z]+(:[A-Za-z]+|:\*)?"
_SCHEDULE = r"(?P<kind>rate|cron|at)\((?P<inside>[^()]+)\)"
_RATE = r"(?P<count>[0-9]+) (?P<unit>minute|hour|day)(?P<plural>s?)"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
_TIMEZONE = r"[A-Za-z_]+(/[A-Za-z0-9_+-]+)*"
_SEGMENT = r"[A-Za-z0-9._~!$&'()*,;=:@%+-]*|\{[A-Za-z0-9._-]+\+?\}"


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
    return None if value in {"zip", "image"} else f'expected "zip" or "image", got {shown(value)}'


def base_image(value: str) -> str | None:
    """Check the name of a base image, which must be pinned."""
    try:
        pinned = Reference.parse(value).digest
    except ValueError as reason:
        return str(reason)
    return None if pinned else f"expected a digest behind it, as `invoke image.pull-base` tells it, got {shown(value)}"


def handler(value: str) -> str | None:
    """Check a ``module.function`` string."""
    if "/" in value:
        return f'expected dots between packages: "{value.replace("/", ".")}", got {shown(value)}'
    if not re.fullmatch(HANDLER, value):
        return f'expected "module.function", such as "app.handler" for src/app.py, got {shown(value)}'
    if value.partition(".")[0] in BUILT_IN:
        return f"expected a module of your own: Lambda refuses what Python has built in, got {shown(value)}"
    most = quotas.HANDLER_CHARS
    return None if len(value) <= most else f"expected at most {most} characters, got {len(value)}"


def variable(name: str) -> str | None:
    """Check the name of an environment variable."""
    if name in quotas.RESERVED_VARIABLES:
        return "is set by Lambda and cannot be set here; choose another name"
    if name.startswith(OWN_VARIABLES):
        return f"is kept for Slipway, as every name that starts with {OWN_VARIABLES}; choose another name"
    if not re.fullmatch(VARIABLE, name):
        return "expected a name of at least two characters: a letter first, then letters, digits and _"
    return None


def repository_name(name: str) -> str | None:
    """Check the name that every AWS name starts with."""
    most = quotas.REPOSITORY_NAME_CHARS
    if len(name) > most:
        return f"expected at most {most} characters, so that AWS names fit, got {len(name)}: {shown(name)}"
    return kebab_problem(name)


def stack(name: str) -> str | None:
    """Check the name of a stack."""
    if name == OWN_STACK:
        return f"expected another name, got {shown(name)}, which is the env's own stack: leave `stack` out for it"
    return kebab_problem(name)


def tag_key(key: str) -> str | None:
    """Check the key of a tag."""
    if key in OWN_TAGS:
        return "is set by Slipway; choose another name"
    if key.casefold().startswith("aws:"):
        return "expected a name that does not begin with aws:, which is kept for AWS"
    return _tag_text(key, 1, quotas.TAG_KEY_CHARS)


def tag_value(value: str) -> str | None:
    """Check the value of a tag."""
    return _tag_text(value, 0, quotas.TAG_VALUE_CHARS)


def _tag_text(text: str, low: int, most: int) -> str | None:
    fits = low <= len(text) <= most and all(char.isalnum() or char.isspace() or char in "_.:/=+-@" for char in text)
    expected = f"expected {low} … {most} letters, digits, spaces and _.:/=+-@"
    return None if fits else f"{expected}, got {len(text)}: {shown(text)}"


def account_id(value: str) -> str | None:
    """Check an AWS account number."""
    return None if re.fullmatch(ACCOUNT, value) else f"expected twelve digits, got {shown(value)}"


def region(value: str) -> str | None:
    """Check the form of a region; which ones exist, AWS knows."""
    return None if re.fullmatch(REGION, value) else f'expected a region such as "eu-central-1", got {shown(value)}'


def bucket(name: str) -> str | None:
    """Check the name of an S3 bucket."""
    low, high = quotas.BUCKET_NAME_CHARS
    if re.fullmatch(_BUCKET, name) and low <= len(name) <= high and ".." not in name:
        return None
    return f"expected {low} … {high} characters of a-z, 0-9, hyphens and dots, got {len(name)}: {shown(name)}"


def remote_store(url: str) -> str | None:
    """Check the address of a remote store."""
    scheme, _, place = url.partition("://")
    name, slash, prefix = place.partition("/")
    if scheme != "s3" or (slash and not re.fullmatch(_PREFIX, prefix)):
        return f'expected "s3://bucket" or "s3://bucket/prefix", without a slash at its end, got {shown(url)}'
    return bucket(name)


def github_repository(value: str) -> str | None:
    """Check the name of a repository on GitHub."""
    return None if re.fullmatch(GITHUB_REPOSITORY, value) else f'expected "organisation/repository", got {shown(value)}'


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
    wrong = next((segment for segment in segments if not re.fullmatch(_SEGMENT, segment)), None)
    if wrong is not None:
        return f"expected segments like orders, {{id}} and, as the last, {{rest+}}, got {shown(wrong)}"
    if any(segment.endswith("+}") for segment in segments[:-1]):
        return f"expected a greedy {{variable+}} as the last segment only, got {shown(path)}"
    variables = [segment.strip("{+}") for segment in segments if segment.startswith("{")]
    twice = {variable for variable in variables if variables.count(variable) > 1}
    return f"expected each path variable once, got {', '.join(sorted(twice))} twice" if twice else None


def action(value: str) -> str | None:
    """Check an IAM action."""
    fits = re.fullmatch(ACTION, value)
    return None if fits else f'expected "service:Action", such as "dynamodb:PutItem", got {shown(value)}'


def schedule(expression: str) -> str | None:
    """Check an expression of EventBridge Scheduler: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html."""
    kind = re.fullmatch(_SCHEDULE, expression)
    got = f"got {shown(expression)}"
    if not kind:
        return f'expected "rate(5 minutes)", "cron(0 8 ? * MON-FRI *)" or "at(2030-01-31T08:00:00)", {got}'
    inside = kind["inside"]
    if kind["kind"] == "rate":
        return _rate_problem(inside, got)
    if kind["kind"] == "at":
        return None if re.fullmatch(_MOMENT, inside) else f'expected "at(2030-01-31T08:00:00)", without a zone, {got}'
    fields = inside.split()
    if len(fields) != 6:
        return f"expected the six fields minutes hours day-of-month month day-of-week year, {got}"
    if "?" not in (fields[2], fields[4]):
        return f"expected ? as the day of the month or the day of the week, {got}"
    return None


def _rate_problem(inside: str, got: str) -> str | None:
    match = re.fullmatch(_RATE, inside)
    if not match or match["count"] == "0":
        return f'expected "rate(1 hour)" or "rate(5 minutes)", {got}'
    if (match["count"] == "1") == bool(match["plural"]):
        unit = match["unit"] if match["count"] == "1" else f"{match['unit']}s"
        return f'expected "rate({match["count"]} {unit})", {got}'
    return None


def timezone(name: str) -> str | None:
    """Check the name of a time zone: UTC, or one of IANA's as far as this machine knows them."""
    from zoneinfo import available_timezones

    known = available_timezones()
    if name == "UTC" or name in known or (not known and re.fullmatch(_TIMEZONE, name)):
        return None
    return f'expected a time zone such as "Europe/Berlin", got {shown(name)}{did_you_mean(name, known)}'


def mount(path: str) -> str | None:
    """Check where a file system is mounted: https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html."""
    fits = re.fullmatch(MOUNT, path) and len(path) <= 160
    return None if fits else f'expected a folder of /mnt, such as "/mnt/data", got {shown(path)}'


def build_argument(value: str) -> str | None:
    """Check the name of an argument of a Dockerfile."""
    fits = re.fullmatch(BUILD_ARGUMENT, value)
    return None if fits else f"expected letters, digits and underscores, no digit first, got {shown(value)}"


def build_word(value: str) -> str | None:
    """Check the name of a stage of a Dockerfile, or of a secret for it."""
    fits = re.fullmatch(BUILD_WORD, value)
    return None if fits else f"expected letters, digits, `_`, `.` and `-`, got {shown(value)}"


def build_secret(value: str) -> str | None:
    """Check where a secret for a Dockerfile comes from. A value by mistake is not shown."""
    fits = re.fullmatch(BUILD_SECRET, value)
    return None if fits else "expected `env=VARIABLE`, or `src=FILE` without a comma, got something else"


def at_most(most: int) -> Callable[[tuple[object, ...]], str | None]:
    """Return a check for lists of at most ``most`` values."""

    def problem(values: tuple[object, ...]) -> str | None:
        return None if len(values) <= most else f"expected at most {most}, got {len(values)}"

    return problem


def bucket_event(value: str) -> str | None:
    """Check a kind of event of S3."""
    fits = re.fullmatch(_BUCKET_EVENT, value)
    return None if fits else f'expected an event of S3, such as "s3:ObjectCreated:*", got {shown(value)}'


def health_check_path(value: str) -> str | None:
    """Check the path of a health check."""
    fits = value.startswith("/") and len(value) <= 1024
    return None if fits else f'expected a path of at most 1024 characters, such as "/health", got {shown(value)}'


def authorizer_name(name: str) -> str | None:
    """Check how an authorizer is called; ``iam`` is what AWS itself offers."""
    return 'expected another name: routes say "iam" for AWS\'s own' if name == "iam" else kebab_problem(name)
