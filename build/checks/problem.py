"""What a rule yields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from build.model import Build, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A finding without its rule's id and severity, which the table of rules adds."""

    subject: str
    """``functions/orders``."""
    message: str
    hint: str


Rule = Callable[[Workspace, Build], Iterator[Problem]]
