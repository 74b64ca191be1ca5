"""What of a wheel no function needs to run: left out by rule, each rule with the bytes it saves.

METADATA and entry points stay, for importlib.metadata; shared objects are never stripped, which breaks
the alignment of some. A folder keeps a kind of file by ``keep = ["tests"]``.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from build.model import SLIMMING
from build.wheels.surveys import Survey
from build.zips.directory import Member

_NATIVE_SOURCES = "a c cc cpp cxx f f90 h hh hpp hxx pxd pxi pyx"
"""What compilers read; there is none on Lambda."""
_RULES = {
    "tests": r"(?:^|/)tests/",
    "stubs": r"\.pyi$|/py\.typed$",
    "native-sources": rf"\.(?:{_NATIVE_SOURCES.replace(' ', '|')})$",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Slim:
    """What is left of a wheel."""

    members: tuple[Member, ...]
    saved: Mapping[str, int]
    """Rule to unzipped bytes left out, before bytecode."""


def slimmed(survey: Survey, keep: Collection[str]) -> Slim:
    """Return the members of ``survey`` that ship where the rules in ``keep`` are off."""
    active = [rule for rule in SLIMMING if rule not in keep and rule not in survey.read_at_run_time]
    if not active:
        return Slim(members=survey.members, saved={})
    modules = (member.name for member in survey.members if member.name.endswith(".py"))
    packages = {_tests_folder(name) for name in modules if "tests/" in name}
    find = re.compile("|".join(f"({_RULES[rule]})" for rule in active)).search
    members, saved = [], Counter[str]()
    for member in survey.members:
        found = find(member.name)
        rule = active[found.lastindex - 1] if found and found.lastindex else ""
        if rule == "tests" and _tests_folder(member.name) not in packages:
            rule = ""  # data that is called so, such as the SQL of dbt
        if rule:
            saved[rule] += member.size_bytes
        else:
            members.append(member)
    return Slim(members=tuple(members), saved={rule: count for rule, count in saved.items() if count})


def _tests_folder(path: str) -> str:
    """Return ``a/tests`` for ``a/tests/b/c.py``; empty outside of one."""
    above, found, _ = f"/{path}".partition("/tests/")
    return above + found
