"""Every error a person can meet, with its exit code.

An error says what failed and on what (``summary``), the facts such as expected and got
(``facts``, one line each), and ends with what to do (``hint``, with the command to run).
Problems of one kind are collected and raised together, one line of ``facts`` each.
"""

from collections.abc import Iterable
from typing import ClassVar


class SlipwayError(Exception):
    """Base of all errors Slipway raises on purpose. Use a subclass: it carries the exit code."""

    exit_code: ClassVar[int]

    def __init__(self, summary: str, *, facts: Iterable[str] = (), hint: str) -> None:
        super().__init__(summary)
        self.summary = summary
        self.facts = tuple(facts)
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"error: {self.summary}", *(f"  {fact}" for fact in self.facts)]
        return "\n".join([*lines, f"hint: {self.hint}"])


class FindingsError(SlipwayError):
    """A check found errors, or bytes are not what they must be."""

    exit_code = 1


class InputError(SlipwayError):
    """Settings, locks or arguments are wrong; nothing was changed."""

    exit_code = 2


class ToolError(SlipwayError):
    """A program outside Slipway failed or is missing: Terraform, pip, uv, an interpreter."""

    exit_code = 4


class AwsError(SlipwayError):
    """AWS, or the embedded cloud in its place, refused."""

    exit_code = 5


class DriftError(SlipwayError):
    """What runs is not what was released."""

    exit_code = 6


class RolledBackError(SlipwayError):
    """New versions went wrong while callers came to them; all callers have the old ones again."""

    exit_code = 7


EXIT_CODE_OF_A_BUG = 70
"""sysexits.h EX_SOFTWARE: an exception nobody designed. Only then a traceback is shown."""
