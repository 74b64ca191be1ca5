"""How a value is spelled in a message, which known word was meant, and durations as people say them."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

KEBAB = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_SHOWN_CHARS = 60
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def shown(value: object) -> str:
    """Spell a value as TOML would, at most 60 characters of it."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def kebab_problem(name: str) -> str | None:
    """Say what is wrong with ``name`` as a kebab-case name; None if nothing is."""
    if re.fullmatch(KEBAB, name):
        return None
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    suggestion = re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-0123456789")
    meant = f"; did you mean `{suggestion}`?" if re.fullmatch(KEBAB, suggestion) else ""
    return f"expected kebab-case (a letter first, then a-z, 0-9 and single hyphens), got `{name}`{meant}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `memory_mb`?`` for the nearest of ``known``; empty if none is near."""
    from difflib import get_close_matches  # here: most runs name everything right

    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(word.casefold(), by_folded, n=1)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""


def duration(text: str) -> timedelta | None:
    """Read ``90s``, ``90m``, ``2h`` or ``3d``; None if it is anything else."""
    match = re.fullmatch(r"([1-9]\d{0,7})([smhd])", text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
