"""What a Dockerfile says of images it stands on. Nothing else of it is understood here: that is the tools' work.

https://docs.docker.com/reference/dockerfile/
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from build.options import DOCKERFILE

BASE = "BASE"
"""Argument that is given to a Dockerfile that declares it before its first FROM: the base, as it is pinned."""

_SCRATCH = "scratch"
_HEREDOC = re.compile(r"<<-?([\"']?)(?P<word>\w+)\1")
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?\s*", re.IGNORECASE)
_ARGUMENT = re.compile(r"(?P<name>\w+)(?:=(?P<default>\S*))?")
_TAKEN = re.compile(r"(?:--|,)from=([^\s,]+)")
"""``COPY --from=IMAGE`` and ``RUN --mount=type=bind,from=IMAGE``."""
_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\}|(?P<bare>\w+))")
_PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)  # no slots: a cached property needs room
class Instructions:
    """The text of a Dockerfile."""

    text: str

    @classmethod
    def of(cls, folder: Path) -> "Instructions":
        """Read the one in ``folder``."""
        return cls((folder / DOCKERFILE).read_text("utf-8", "replace"))

    @property
    def wants_base(self) -> bool:
        """Tell whether it leaves it to others to say what it stands on."""
        return BASE in self._arguments

    def unpinned(self, arguments: Mapping[str, str]) -> tuple[str, ...]:
        """Return the images it stands on, or copies from, that have no digest, each once, with ``arguments`` put in.

        What is given for the argument BASE always has one.
        """
        given = {**self._arguments, **({BASE: _SCRATCH} if self.wants_base else {}), **arguments}
        stages, images = {_SCRATCH}, dict[str, None]()
        for line in self._lines:
            start = _FROM.fullmatch(line)
            if start and start["stage"]:
                stages.add(start["stage"].lower())
            found = [start["image"]] if start else _TAKEN.findall(line)
            images.update(dict.fromkeys(_filled(each, given) for each in found))
        return tuple(
            each for each in images if each.lower() not in stages and not each.isdigit() and not _PINNED.fullmatch(each)
        )

    @cached_property
    def _arguments(self) -> dict[str, str]:
        """Arguments that are declared before the first FROM, with their defaults."""
        found: dict[str, str] = {}
        for line in self._lines:
            word, _, rest = line.partition(" ")
            if word.upper() == "FROM":
                break
            if word.upper() == "ARG":
                for each in _ARGUMENT.finditer(rest):
                    found[each["name"]] = _filled((each["default"] or "").strip("\"'"), found)
        return found

    @cached_property
    def _lines(self) -> tuple[str, ...]:
        return tuple(_instructions(self.text))


def _instructions(text: str) -> Iterator[str]:
    """Yield each instruction in one line, without comments and without what heredocs hold."""
    held, waiting = "", list[str]()
    for line in map(str.strip, text.splitlines()):
        if waiting:
            if line == waiting[0]:
                del waiting[0]
        elif line and not line.startswith("#"):
            held += line.removesuffix("\\") + " "
            if not line.endswith("\\"):
                yield held.strip()
                waiting = [each["word"] for each in _HEREDOC.finditer(held)]
                held = ""
    if held:
        yield held.strip()


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        return arguments.get(match["braced"] or match["bare"]) or match["default"] or match[0]

    return _VARIABLE.sub(value, text)
