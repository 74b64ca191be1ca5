"""What the page says of the whole plan: a list or table for each question that a reviewer has."""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from build.review.changes import Change, DependencyChange, FunctionReview, KeyChange, LayerReview
from build.review.grouping import Group, grouped
from build.review.page_markup import MOST_NAMES, Html, Names, fold, icon, joined, listing, many, row, table, tag
from build.review.words import Cost, Costs, Direction, Drift, Grant, Loss, Note, Reason, Resource, Verdict

_MOST_ROWS = 10
"""Dependencies before the rest is folded."""
COST = {Direction.UP: "▲ up", Direction.DOWN: "▼ down", Direction.SAME: "the same", Direction.UNKNOWN: "depends"}
"""Where the bill goes, in a word."""
_GIVEN_BY = {
    "managed policy": "managed policy of its role",
    "boundary": "permissions boundary of its role",
    "trust": "who may take the role",
    "resource": "policy of the resource",
}
ARROW = Html('<span class="arrow" aria-hidden="true">→</span><span class="unseen"> to </span>')
"""Between what was and what will be; read aloud as a word."""
_T = TypeVar("_T")


def reasons(found: Iterable[Reason], names: Names) -> Html:
    """Return why the verdict is what it is; what is safe is folded where there is worse."""
    items: dict[Verdict, list[Html]] = {Verdict.DANGEROUS: [], Verdict.LOOK: [], Verdict.SAFE: []}
    for each in grouped(found):
        verdict = each.verdict or Verdict.SAFE
        words = tag("div", each.text, rule_of(each), names.all(each.subjects))
        items[verdict].append(tag("li", icon(verdict), words))
    calm = items.pop(Verdict.SAFE) if items[Verdict.DANGEROUS] or items[Verdict.LOOK] else []
    said = [
        joined([tag("h3", verdict.capitalize(), note(str(len(which))), class_=verdict), listing(which)])
        for verdict, which in items.items()
        if which
    ]
    if calm:
        said.append(fold(many(len(calm), "safe change"), tag("ul", *calm, class_="items")))
    return joined(said or [nothing("None.")])


def permissions(grants: Iterable[Grant], names: Names) -> Html:
    """Return permissions as sentences, what anybody gets first, what is lost last."""

    def key(each: Grant) -> tuple[Any, ...]:
        serious = (not each.gained, not each.is_public, not each.is_wide, not each.wildcards)
        return (*serious, each.text, each.kind, each.wildcards, each.reason or "")

    found = sorted(_gathered(grants, key, lambda each: each.who), key=lambda group: key(group[0])[:4])
    return listing([_grant(first, whose, names) for first, whose in found]) if found else nothing("None.")


def _grant(grant: Grant, whose: tuple[str, ...], names: Names) -> Html:
    chips = [
        (grant.is_public, chip("public", Verdict.DANGEROUS)),
        (grant.is_wide and not grant.is_public, chip("wide wildcard", Verdict.DANGEROUS)),
        (grant.wildcards and not grant.is_wide and not grant.is_public, chip("wildcard", Verdict.LOOK)),
    ]
    notes = []
    if grant.wildcards and grant.gained and not grant.is_public:
        notes.append(f"reason given: {grant.reason}" if grant.reason else "nobody wrote why")
    if grant.kind != "role":
        notes.append(_GIVEN_BY.get(grant.kind, grant.kind))
    if grant.subject not in names.known:
        notes.append(grant.address)
    sign = "+" if grant.gained else "−"
    marks = [mark for is_so, mark in chips if is_so and grant.gained]
    said = [names.few(whose, "principals"), " ", *_marked(grant), *marks, note("; ".join(notes)), names.rest(whose)]
    return tag("li", tag("span", sign, class_="sign", aria_hidden="true"), tag("div", *said))


def _marked(grant: Grant) -> Iterable[Html]:
    """Return the words of ``grant`` with its wildcards marked; ARNs, which only repeat, step back."""
    stars = "|".join(re.escape(each) for each in sorted(grant.wildcards, key=len, reverse=True))
    for piece in re.split(r"(\(arn:[^)]*\))", grant.text):
        parts = re.split(f"({stars})", piece) if stars and grant.gained else [piece]
        shown = joined(tag("mark", part) if number % 2 else part for number, part in enumerate(parts))
        yield tag("span", shown, class_="soft") if piece.startswith("(arn:") else shown


def dependencies(parts: Iterable[FunctionReview | LayerReview], names: Names) -> Html:
    """Return every new, old or other version once, with the functions and layers that get it; major steps first.

    What new functions and layers bring is folded: among it nobody would find a version that changes.
    """

    def key(found: tuple[DependencyChange, str]) -> tuple[Any, ...]:
        return (found[0].name, found[0].before, found[0].after, found[0].step)

    parts = tuple(parts)
    said, heads = [], ("Distribution", "Version", "In")
    for is_new, most in ((False, _MOST_ROWS), (True, 0)):
        those = [part for part in parts if part.code and (part.change is Change.ADDED) is is_new]
        steps = [(each, part.subject) for part in those if part.code for each in part.code.dependencies]
        groups = _gathered(steps, key, lambda found: found[1])
        groups.sort(key=lambda group: (not group[0][0].step.startswith("major"), -len(group[1]), group[0][0].name))
        rows = [row(each.name, version_step(each), names.all(whose)) for (each, _), whose in groups]
        if rows[:most]:
            said.append(table("Dependencies that change", heads, rows[:most]))
        if rows[most:]:
            what = f"{many(len(rows), 'distribution')} in what is new" if is_new else f"{len(rows) - most} more"
            said.append(fold(what, table(f"Dependencies: {what}", heads, rows[most:])))
    unread = [part.subject for part in parts if part.code and not part.code.is_known and part.code.after_digest]
    if unread:
        said.append(tag("div", "Not compared, and so not in this list:", names.all(unread), class_="soft"))
    return joined(said or [nothing("None.")])


def losses(found: Iterable[Loss], names: Names) -> Html:
    """Return what is destroyed or made anew, and what goes with it."""

    def key(each: Loss) -> tuple[Any, ...]:
        return (not each.loses_data, not each.lost, each.kind, each.replaced, each.lost, each.why)

    items = []
    for first, whose in _gathered(found, key, lambda each: each.name or each.address):
        happens = f"{'is' if len(whose) == 1 else 'are'} {'replaced by a new one' if first.replaced else 'destroyed'}"
        lost = f", and with it {' and '.join(first.lost)}" if first.lost else ""
        why = note(f"because {'; '.join(first.why)}" if first.why else "")
        kind = first.kind if len(whose) <= MOST_NAMES else f"{first.kind}s:"
        said = tag("div", kind, " ", names.few(whose, "of them"), f" {happens}{lost}", why, names.rest(whose))
        items.append(tag("li", icon(Verdict.DANGEROUS if first.lost else Verdict.LOOK), said))
    return listing(items)


def notes(found: Iterable[Note], names: Names, verdict: Verdict) -> Html:
    """Return sentences, each once with its subjects."""
    groups = _gathered(found, lambda each: each.text, lambda each: each.subject)
    return listing([tag("li", icon(verdict), tag("div", first.text, names.all(whose))) for first, whose in groups])


def costs(found: Costs, names: Names) -> Html:
    """Return where the bill goes, change by change, and what that rests on."""

    def key(each: Cost) -> tuple[Any, ...]:
        return (each.text, each.before_usd, each.after_usd, each.per)

    rows = []
    for each, whose in _gathered(found.items, key, lambda each: each.subject):
        amount = [_usd(each.before_usd), ARROW, tag("b", _usd(each.after_usd), class_="now"), f" per {each.per}"]
        rows.append(row(joined([each.text, names.all(whose)]), joined(amount)))
    before, after = found.monthly_usd
    said = ["The bill: ", tag("b", COST[found.direction])]
    if before != after:
        said.append(f", of which ${before:,.2f} → ${after:,.2f} a month whatever the traffic")
    basis = " ".join([*found.assumes, f"Prices: {found.prices}."])
    listed = table("What costs another amount", ("Change", "US dollars"), rows)
    return joined([tag("p", *said, "."), listed, nothing(basis)])


def _usd(amount: float | None) -> str:
    return "–" if amount is None else f"${amount:,.2f}"


def drift(found: Iterable[Drift], names: Names) -> Html:
    """Return what others did, and whether this plan takes it back."""
    items = []
    for each in found:
        undone = chip("this plan may take it back" if each.is_undone else "stays as it is")
        what = f" was {each.change} outside Terraform"
        paths = f": {', '.join(each.attributes)}" if each.attributes else ""
        rights = permissions(each.grants, names) if each.grants else ""
        whose = [" ", names.of(each.subject)] if each.subject in names.known else []
        said = [f"{each.kind} ", tag("b", each.name), what, paths, undone, *whose, note(each.address), rights]
        inside = tag("div", *said)
        items.append(tag("li", tag("span", each.change.sign, class_="sign", aria_hidden="true"), inside))
    return listing(items)


def resources(found: Iterable[Resource], outputs: Iterable[KeyChange], *, has_stacks: bool) -> Html:
    """Return every line of the plan."""
    rows = [
        row(
            f"{each.change.sign} {each.change}",
            *([each.stack] if has_stacks else []),
            joined([each.kind, " ", tag("b", each.name)]),
            joined([tag("code", each.address), f" (was {each.moved_from})" if each.moved_from else ""]),
            ", ".join(each.attributes),
        )
        for each in found
    ]
    stack = [""] if has_stacks else []
    rows += [row(f"{each.change.sign} {each.change}", *stack, "output", each.name, "") for each in outputs]
    heads = ("Change", *(["Stack"] if has_stacks else []), "Resource", "Address", "Attributes that differ")
    lines = table("Every line of the plan", heads, rows, class_="lines")
    return tag("div", lines, class_="scroll", tabindex="0", role="group", aria_label="Every line of the plan")


def version_step(each: DependencyChange) -> Html:
    """Return ``2.31.0 → 2.32.3`` and how far the step is; major ones and those that go back are marked."""
    serious = each.step.startswith("major") or each.step.endswith("down")
    step = chip(each.step, Verdict.LOOK if serious else "")
    if each.before == each.after:
        return joined([each.after or "", " (other files)", step])
    before = tag("span", each.before or "none", class_="was")
    return joined([before, ARROW, tag("b", each.after or "none", class_="now"), step])


def rule_of(each: Reason | Group) -> Html:
    """Return the name of the rule behind a reason, as the documentation has it."""
    return joined([" ", tag("span", each.rule, class_="note rule")])


def note(words: str) -> Html:
    """Return what stands back beside a sentence."""
    return joined([" ", tag("span", words, class_="note")]) if words else Html()


def chip(word: str, css: str = "") -> Html:
    """Return a word in a frame."""
    return joined([" ", tag("span", word, class_=f"chip {css}".strip())])


def nothing(sentence: str) -> Html:
    """Return that there is nothing to say, or what is left out."""
    return tag("p", sentence, class_="soft")


def _gathered(
    items: Iterable[_T], key: Callable[[_T], Any], name: Callable[[_T], str]
) -> list[tuple[_T, tuple[str, ...]]]:
    """Return the first of those with the same key, with the names of all; in the order of the first of each."""
    found: dict[Any, tuple[_T, set[str]]] = {}
    for each in items:
        found.setdefault(key(each), (each, set()))[1].add(name(each))
    return [(first, tuple(sorted(names))) for first, names in found.values()]
