"""Which route of an HTTP API takes a request.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

DEFAULT = "$default"


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and what its variables are in a path."""

    key: str
    """``METHOD /path`` or ``$default``."""
    parameters: dict[str, str]


def chosen(keys: Iterable[str], method: str, path: str) -> Match | None:
    """Return the route of ``keys`` that takes ``method`` and ``path`` (percent-encoded); None if none does.

    A path that fits in full comes before a greedy one, and that before ``$default``; of several the one that says more,
    segment by segment, and then a method by its name before ANY.
    """
    found: list[tuple[tuple[Any, ...], Match]] = []
    for key in keys:
        if key == DEFAULT:
            found.append(((1,), Match(key, {})))
            continue
        wanted_method, _, pattern = key.partition(" ")
        fit = _fit(pattern, path)
        if fit and wanted_method in (method, "ANY"):
            rank, parameters = fit
            found.append(((0, *rank, wanted_method == "ANY"), Match(key, parameters)))
    return min(found, key=lambda each: each[0])[1] if found else None


def stage_and_path(stages: Iterable[str], path: str) -> tuple[str, str] | None:
    """Return the stage that ``path`` begins with, and the rest; else ``$default`` and all of it; None without that."""
    names = set(stages)
    first, _, rest = path.removeprefix("/").partition("/")
    if first != DEFAULT and first in names:
        return first, f"/{rest}"
    return (DEFAULT, path) if DEFAULT in names else None


def _fit(pattern: str, path: str) -> tuple[tuple[Any, ...], dict[str, str]] | None:
    """Return how well ``path`` fits, less being better, and its variables."""
    segments, wanted = path.split("/"), pattern.split("/")
    greedy = wanted[-1].startswith("{") and wanted[-1].endswith("+}")
    parameters = {}
    if greedy:
        name = wanted.pop()[1:-2]
        rest = segments[len(wanted) :]
        if not any(rest):
            return None
        parameters[name] = unquote("/".join(rest))
        segments = segments[: len(wanted)]
    if len(segments) != len(wanted):
        return None
    kinds = []
    for segment, expected in zip(segments, wanted, strict=True):
        is_variable = expected.startswith("{") and expected.endswith("}")
        if is_variable and segment:
            parameters[expected[1:-1]] = unquote(segment)
        elif is_variable or expected != unquote(segment):
            return None
        kinds.append(is_variable)
    return (greedy, -len(wanted) if greedy else 0, tuple(kinds)), parameters
