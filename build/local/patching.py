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


def add_action(responses: Any, action: Callable[..., Any]) -> Undo:
    """Give a class of moto's responses an action it does not have; return what takes it away."""
    assert not hasattr(responses, action.__name__), action.__name__
    setattr(responses, action.__name__, action)
    return lambda: delattr(responses, action.__name__)


def then(after: Callable[[], None]) -> Callable[[Any], Any]:
    """Return what makes a method call ``after`` when it is done, for `replace`."""

    def make(original: Any) -> Any:
        def changed(self: Any, *arguments: Any, **named: Any) -> Any:
            result = original(self, *arguments, **named)
            after()
            return result

        return changed

    return make
