"""The tables of functions and layers: a row for each, and behind it everything that changes of it."""

from collections.abc import Iterable, Iterator

from build.inspection.sizes import shown_bytes
from build.review.changes import (
    Change,
    CodeChange,
    FileChange,
    FunctionReview,
    ImportTime,
    KeyChange,
    LayerReview,
    SettingChange,
    TriggerChange,
)
from build.review.grouping import changes_of, dependencies_of
from build.review.page_markup import Html, Names, anchor_of, bar, fold, icon, joined, many, row, table, tag
from build.review.page_panels import ARROW, chip, note, permissions, rule_of, version_step
from build.review.phrases import delta
from build.review.words import Grant, Reason, Review, Verdict

_MOST_FILES = 20
"""Files of one function before the rest is folded."""
_ALL_FILES = 400
"""Files listed at all; the others are counted."""
_SMALL_BYTES = 1_000_000
"""A step of so many bytes fills no bar, even if it is the largest."""
_BRIEF = 120
"""Characters of one change in the line of its function."""
_MASKED = Html('<span class="unseen">hidden</span><span class="soft" aria-hidden="true">••••</span>')
_MEASURED = note("to import the handler, cold, where this plan was made: the fastest of a few runs")
_FIELDS = {"configuration": "settings", "environment": "environment", "triggers": "triggers", "layers": "layers"}
_KINDS = ("added", "removed", "code", "dependencies", *_FIELDS, "permissions")
"""Of change, as the filter offers them."""


class Rows:
    """Makes rows, with what each has to know of the whole review."""

    def __init__(self, review: Review, names: Names) -> None:
        self.review, self.names = review, names
        self.reasons: dict[str, list[Reason]] = {}
        self.grants: dict[str, list[Grant]] = {}
        for reason in review.reasons:
            self.reasons.setdefault(reason.subject, []).append(reason)
        for grant in review.grants:
            self.grants.setdefault(grant.subject, []).append(grant)
        parts: tuple[FunctionReview | LayerReview, ...] = (*review.functions, *review.layers)
        self.largest = max([_SMALL_BYTES, *(abs(_step(each)) for each in parts)])

    def functions(self) -> Html:
        """Return the table of functions, the worst first, with what filters it where scripts run."""
        shown = sorted(self.review.functions, key=lambda each: (-self.verdict(each).rank, each.name))
        kinds = {each.name: self.kinds(each) for each in shown}
        options = [tag("option", "any change")]
        options += [tag("option", kind) for kind in _KINDS if any(kind in each for each in kinds.values())]
        rows = [self._row(each, kinds[each.name], is_open=len(shown) == 1) for each in shown]
        heads = ("Function", "Verdict", "Unzipped size", "What changes")
        return joined([_filter(options), table("Functions that change", heads, rows, class_="rows", role="table")])

    def layers(self) -> Html:
        """Return the table of Lambda layers."""
        rows = [self._row(each, (), is_open=False) for each in self.review.layers]
        heads = ("Layer", "Verdict", "Unzipped size", "What changes")
        return table("Layers that change", heads, rows, class_="rows", role="table")

    def verdict(self, part: FunctionReview | LayerReview) -> Verdict:
        """Return the worst of what is said of it."""
        found = [each.verdict for each in self.reasons.get(part.subject, ())]
        return max(found, key=lambda each: each.rank, default=Verdict.SAFE)

    def kinds(self, function: FunctionReview) -> tuple[str, ...]:
        """Return the kinds of change it has, in the words of the filter."""
        has = dict.fromkeys(_KINDS, False)
        has |= {kind: bool(getattr(function, field)) for kind, field in _FIELDS.items()}
        has["code"] = function.code is not None
        has["dependencies"] = bool(function.code and function.code.dependencies)
        has["permissions"] = function.subject in self.grants
        has |= {str(change): function.change is change for change in (Change.ADDED, Change.REMOVED)}
        return tuple(kind for kind, is_so in has.items() if is_so)

    def _row(self, part: FunctionReview | LayerReview, kinds: Iterable[str], *, is_open: bool) -> Html:
        verdict = self.verdict(part)
        name = joined([part.name, "" if part.change is Change.CHANGED else chip(part.change)])
        lines = changes_of(part) if isinstance(part, FunctionReview) else _layer_lines(part)
        brief = joined((line if len(line) <= _BRIEF else f"{line[:_BRIEF]}…" for line in lines), " · ")
        blocks = [tag("div", tag("h3", title), *inside) for title, inside in self._blocks(part) if any(inside)]
        what = tag(
            "details",
            tag("summary", tag("span", brief or "only resources around it", class_="brief")),
            tag("div", *blocks, id=anchor_of(part.subject)),
            class_="what",
            open=is_open,
        )
        size = joined([bar(_step(part), self.largest), _signed(_step(part))]) if _step(part) else _no_step(part.code)
        cells = (joined([icon(verdict), " ", verdict]), size, what)
        return row(name, *cells, data_kinds=" ".join(kinds), data_verdict=verdict)

    def _blocks(self, part: FunctionReview | LayerReview) -> Iterator[tuple[str, list[Html]]]:
        serious = [each for each in self.reasons.get(part.subject, ()) if each.verdict is not Verdict.SAFE]
        why = [tag("li", icon(each.verdict), tag("div", each.text, rule_of(each))) for each in serious]
        yield f"Why {self.verdict(part)}", [tag("ul", *why, class_="items")] if why else []
        if part.code:
            yield "Code", list(_code(part.code))
            yield "Dependencies", _dependencies(part.code)
        if isinstance(part, LayerReview):
            used = [tag("li", self.names.of(f"functions/{name}")) for name in part.functions]
            yield f"Used by {many(len(used), 'function')}", [tag("ul", *used, class_="names")]
            return
        yield "Import time", list(_import_time(part.import_time))
        yield "Configuration", _settings(part.settings)
        yield "Environment", _environment(part.environment)
        triggers = [_trigger(each) for each in part.triggers]
        yield "Triggers", [tag("ul", *triggers, class_="lines")] if triggers else []
        layers = [_line(each.change, each.text) for each in part.layers]
        yield "Layers", [tag("ul", *layers, class_="lines")] if layers else []
        rights = self.grants.get(part.subject)
        yield "Permissions", [permissions(rights, self.names)] if rights else []
        others = [tag("li", each) for each in part.others]
        yield "Around it", [tag("ul", *others, class_="lines")] if others else []
        yield "On AWS", [tag("ul", *_on_aws(part), class_="lines")]


def _filter(options: Iterable[Html]) -> Html:
    return tag(
        "div",
        tag("label", "Find a function, file, dependency or key", for_="find", class_="unseen"),
        tag("input", type="search", id="find", placeholder="Find a function, file, dependency, key …"),
        tag("label", "With ", tag("select", *options, id="kind")),
        tag("label", tag("input", type="checkbox", id="only"), " Only dangerous"),
        tag("button", "Open or close all", type="button", id="all"),
        tag("output", id="count", for_="find kind only", class_="soft"),
        id="filter",
        class_="filter",
        role="search",
        hidden=True,
    )


def _step(part: FunctionReview | LayerReview) -> int:
    """Return by how many bytes it grows, unzipped; 0 also where nobody knows."""
    before, after = (part.code and part.code.unzipped_bytes) or (0, 0)
    return after - before


def _no_step(code: CodeChange | None) -> str:
    if code and not code.after_digest:
        return "gone"
    return "same" if code is None or code.unzipped_bytes else "not known"


def _signed(step: int) -> Html:
    return tag("span", f"{'+' if step > 0 else '−'}{shown_bytes(abs(step))}", class_="n")


def _code(code: CodeChange) -> Iterator[Html]:
    before, after = ((digest or "none")[:8] for digest in (code.before_digest, code.after_digest))
    yield tag("p", "Artifact ", tag("code", before), ARROW, tag("code", after))
    if not code.is_known and code.before_digest and code.after_digest:
        yield tag("p", "What runs now could not be read: files and dependencies cannot be compared.", class_="look")
    if code.unzipped_bytes and code.zip_bytes:
        yield tag("p", f"Unzipped {delta(*code.unzipped_bytes)}; zip {delta(*code.zip_bytes)}")
    if not code.files:
        return
    counts = ", ".join(f"{code.count(each)} {each}" for each in Change if code.count(each))
    yield tag("p", f"Own files: {counts}")
    items = [_file(each) for each in code.files[:_ALL_FILES]]
    yield tag("ul", *items[:_MOST_FILES], class_="lines")
    if items[_MOST_FILES:]:
        more = len(code.files) - len(items)
        rest = tag("p", f"and {more} others that are not listed") if more else Html()
        yield fold(f"{len(code.files) - _MOST_FILES} more", tag("ul", *items[_MOST_FILES:], class_="lines"), rest)


def _file(file: FileChange) -> Html:
    sizes = " → ".join(shown_bytes(each) for each in (file.before_bytes, file.after_bytes) if each is not None)
    return _line(file.change, tag("code", file.path), " ", tag("small", sizes))


def _line(change: Change, *inside: str) -> Html:
    sign = tag("span", change.sign, class_="sign", aria_hidden="true")
    return tag("li", sign, tag("span", f"{change} ", class_="unseen"), *inside)


def _dependencies(code: CodeChange) -> list[Html]:
    largest = max([_SMALL_BYTES, *(abs(each.after_bytes - each.before_bytes) for each in code.dependencies)])
    rows = []
    for each in code.dependencies:
        step = each.after_bytes - each.before_bytes
        size = joined([bar(step, largest), _signed(step)]) if step else "same"
        rows.append(row(each.name, version_step(each), size))
    heads = ("Distribution", "Version", "Unzipped")
    return [table("Dependencies", heads, rows)] if rows else []


def _settings(settings: Iterable[SettingChange]) -> list[Html]:
    rows = [row(each.name, each.before or "none", tag("b", each.after or "none")) for each in settings]
    return [table("Settings", ("Setting", "Before", "After"), rows)] if rows else []


def _environment(keys: Iterable[KeyChange]) -> list[Html]:
    """Return the names alone: nobody but the function sees a value."""
    rows = []
    for each in keys:
        before = "none" if each.change is Change.ADDED else _MASKED
        after = "none" if each.change is Change.REMOVED else _MASKED
        rows.append(row(joined([tag("code", each.name)]), before, after, str(each.change)))
    return [table("Environment variables", ("Key", "Before", "After", "Change"), rows)] if rows else []


def _trigger(trigger: TriggerChange) -> Html:
    said = [f"{trigger.kind} ", tag("b", trigger.name), f" {trigger.change}"]
    return _line(trigger.change, *said, *_settings(trigger.settings))


def _on_aws(function: FunctionReview) -> Iterator[Html]:
    yield tag("li", "Name ", tag("b", function.function_name), f", stack {function.stack}" if function.stack else "")
    yield tag("li", f"Callers reach version {function.live} now" if function.live else "Not deployed yet")


def _import_time(time: ImportTime | None) -> Iterator[Html]:
    if time is None:
        return
    if time.not_measured:
        yield tag("p", f"Not measured: {time.not_measured}", class_="soft")
    elif time.differs:
        yield tag("p", f"{time.before_s:.2f} s", ARROW, tag("b", f"{time.after_s:.2f} s"), _MEASURED)
    else:
        yield tag("p", f"About the same, {time.after_s:.2f} s", _MEASURED)


def _layer_lines(layer: LayerReview) -> tuple[str, ...]:
    return dependencies_of(layer.code, layer.change) or (f"layer {layer.change}",)
