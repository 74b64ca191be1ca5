"""What a rule yields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from build.model import Build, Workspace
from build.store.objects import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A finding without its rule's id and severity, which the table of rules adds."""

    subject: str
    """``functions/orders``."""
    message: str
    hint: str
    details: tuple[str, ...] = ()
    """Lines to show below the message."""


Rule = Callable[[Workspace, Build, Store], Iterator[Problem]]
"""Gives what is wrong with a function among its layers, or with a layer among those that are used together with it.

It is asked for one folder at a time, and what it says about the others is passed over. What the build does not hold
is not judged; the store has the wheels of what it holds.
"""
