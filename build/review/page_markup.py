"""HTML by small pieces: whatever is not `Html` yet is escaped, so nothing can be forgotten."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

_LONG = 400
"""Characters from which on a text scrolls in a box of its own."""
MOST_NAMES = 3
"""Names in one line before they are counted."""
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Turns text around, hides in it, breaks its line, or is half a character: shown as its number."""


class Html(str):
    """Text that is escaped already."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return ``value`` escaped; in a box that scrolls if it is very long."""
    shown = _INVISIBLE.sub(lambda found: f'<i class="u">U+{ord(found[0]):04X}</i>', escape(value))
    return Html(f'<span class="long" tabindex="0">{shown}</span>' if len(value) > _LONG else shown)


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Return ``parts`` after one another."""
    return Html(text(between).join(part if isinstance(part, Html) else text(part) for part in parts))


def tag(name: str, /, *inside: str, **attributes: str | bool) -> Html:
    """Return an element. ``class_`` and ``data_kind`` are class and data-kind, empty attributes are left out."""
    opening = "".join(_attribute(key, value) for key, value in attributes.items() if value)
    return Html(f"<{name}{opening}>") if name == "input" else Html(f"<{name}{opening}>{joined(inside)}</{name}>")


def _attribute(key: str, value: str | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    shown = _INVISIBLE.sub(lambda found: f"U+{ord(found[0]):04X}", str(value))
    return f" {name}" if value is True else f' {name}="{escape(shown)}"'


def section(anchor: str, title: str, *inside: str, **attributes: str) -> Html:
    """Return a part of the page that links can lead to, with its heading."""
    heading = tag("h2", title, id=f"{anchor}-title")
    return tag("section", heading, *inside, id=anchor, aria_labelledby=f"{anchor}-title", **attributes)


def table(caption: str, heads: Sequence[str], rows: Iterable[str], **attributes: str) -> Html:
    """Return a table of ``rows`` that are elements already; ``caption`` is for those who do not see it."""
    top = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))
    said = tag("caption", tag("span", caption, class_="unseen"))
    return tag("table", said, top, tag("tbody", *rows), **attributes)


def row(head: str, *cells: str, **attributes: str) -> Html:
    """Return a row whose first cell names it."""
    return tag("tr", tag("th", head, scope="row"), *(tag("td", cell) for cell in cells), **attributes)


def fold(summary: str, *inside: str) -> Html:
    """Return what is hidden until somebody wants it; on paper it is shown."""
    return joined([" ", tag("details", tag("summary", summary), *inside, class_="fold")])


def listing(items: Sequence[str], most: int = 8) -> Html:
    """Return a list, folded after the first ``most``."""
    if len(items) <= most + 1:
        return tag("ul", *items, class_="items")
    rest = fold(f"{len(items) - most} more", tag("ul", *items[most:], class_="items"))
    return joined([tag("ul", *items[:most], class_="items"), rest])


class Names:
    """Functions and layers that have a place on the page, so that whatever names them leads there."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = frozenset(known)

    def of(self, name: str) -> Html:
        """Return ``name``, as a link where it can be."""
        return tag("a", name, href=f"#{anchor_of(name)}") if name in self.known else tag("b", name)

    def all(self, names: Sequence[str]) -> Html:
        """Return ``names``, folded behind their number if they are many."""
        if len(names) <= MOST_NAMES:
            return joined([" ", tag("span", joined(map(self.of, names), ", "), class_="note")])
        return fold(self.few(names), tag("ul", *(tag("li", self.of(name)) for name in names), class_="names"))

    def few(self, names: Sequence[str], others: str = "places") -> Html:
        """Return ``names`` in a line, or how many ``functions`` or ``others`` there are."""
        if len(names) <= MOST_NAMES:
            return joined(map(self.of, names), ", ")
        things = {name.partition("/")[0] for name in names}
        return text(f"{len(names)} {'functions' if things == {'functions'} else others}")

    def rest(self, names: Sequence[str]) -> Html:
        """Return what `few` did not say: the names, folded."""
        if len(names) <= MOST_NAMES:
            return Html()
        return fold("show which", tag("ul", *(tag("li", self.of(name)) for name in names), class_="names"))


def anchor_of(name: str) -> str:
    """Return the id of the place of ``name``."""
    return quote(name, errors="backslashreplace")


def icon(verdict: str) -> Html:
    """Return the sign of a verdict; the word has to stand beside it."""
    return Html(f'<svg class="icon {verdict}" aria-hidden="true"><use href="#i-{verdict}"/></svg>')


def bar(step: int, largest: int) -> Html:
    """Return what ``step`` is of the ``largest`` one, to the right where something grows, else to the left."""
    width = max(round(29 * abs(step) / largest, 1), 1) if step else 0
    grown = f'<rect class="grew" x="30" y="2" width="{width}" height="5"/>'
    shrunk = f'<rect class="shrank" x="{30 - width}" y="2" width="{width}" height="5"/>'
    return Html(f'<svg class="bar" aria-hidden="true"><path d="M30 0v9"/>{grown if step > 0 else shrunk}</svg>')


def link(url: str | None, words: str) -> Html:
    """Return a link to ``url`` if that is an address on the web, else the words alone."""
    if url and url.startswith("https://"):
        return tag("a", words, href=url, rel="noreferrer")
    return text(words)


def many(count: int, thing: str) -> str:
    """Return ``1 function`` or ``3 functions``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"
