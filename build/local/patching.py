"""Replace an attribute of someone else's class, in a way that can be undone."""

import functools
from collections.abc import Callable
from typing import Any

Undo = Callable[[], None]


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> Undo:
    """Set ``owner.name`` to what ``make`` returns for the present one; return what puts that back."""
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))
    return lambda: setattr(owner, name, original)


def add(owner: Any, function: Callable[..., Any]) -> Undo:
    """Give ``owner`` a method it does not have, under the name of ``function``; return what takes it away."""
    assert not hasattr(owner, function.__name__), function.__name__
    setattr(owner, function.__name__, function)
    return lambda: delattr(owner, function.__name__)
