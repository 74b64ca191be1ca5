"""A review in lines, as Markdown and the terminal both show it. Lines are plain text, not escaped for anything."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from build.review.changes import Change, CodeChange, FunctionReview, LayerReview
from build.review.grouping import changes_of, dependencies_of, grouped, grouped_changes
from build.review.phrases import delta
from build.review.words import Cost, Direction, Drift, Grant, Loss, Review, Verdict

_NAMED = 3
"""Subjects that are named before a line; more are counted."""
_SINGLY = 8
"""Functions up to which each gets its own lines; of more, what changes is said once for all."""
_SHOWN_FILES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Lines under one heading."""

    title: str
    lines: tuple[str, ...]
    is_vital: bool = False
    """True for what a reviewer must see: it is shortened last."""
    is_detail: bool = False
    """True for what only some want to see."""
    is_code: bool = False
    """True for commands."""


def summary_of(review: Review) -> tuple[tuple[str, str], ...]:
    """Return names and values that say in a few rows how large the change is."""
    resources = _counts((change, review.count(change)) for change in Change)
    functions = _counts((c, sum(each.change is c for each in review.functions)) for c in Change)
    running = review.running
    gained = sum(grant.gained for grant in review.grants)
    rows = [
        ("verdict", str(review.verdict)),
        ("functions", f"{functions or 'none changed'}; {review.unchanged} unchanged"),
        ("layers", ", ".join(f"{each.name} {each.change}" for each in review.layers)),
        ("resources", resources),
        ("permissions", f"{gained} gained, {len(review.grants) - gained} lost" if review.grants else ""),
        ("cost", _cost_words(review)),
        ("drift", f"{len(review.drift)} changed outside Terraform" if review.drift else ""),
        ("stacks", ", ".join(review.stacks)),
        ("runs now", _running_words(review) if running else "nothing was released yet"),
        ("planned", f"{(review.commit or 'no commit')[:12]} at {review.at}"),
        ("change", review.digest[:16]),
    ]
    return tuple((name, value) for name, value in rows if value)


def sections_of(review: Review) -> tuple[Section, ...]:
    """Return everything that a review says, the most important first; no section is empty."""
    sections = (
        Section(title="Dangerous", lines=tuple(_reasons(review, Verdict.DANGEROUS)), is_vital=True),
        Section(title="Destroyed or replaced", lines=tuple(map(_loss, review.losses)), is_vital=True),
        Section(title="Permissions gained", lines=_grants(review.grants, gained=True), is_vital=True),
        Section(title="Permissions lost", lines=_grants(review.grants, gained=False), is_vital=True),
        Section(title="Look", lines=tuple(_reasons(review, Verdict.LOOK))),
        *_functions(review),
        Section(title="Lambda layers", lines=tuple(line for each in review.layers for line in _layer(each))),
        Section(title="Interruptions", lines=_noted((each.text, each.subject) for each in review.interruptions)),
        Section(title="Cost", lines=tuple(_costs(review))),
        Section(title="Changed outside Terraform", lines=tuple(map(_drift, review.drift))),
        Section(title="Safe", lines=tuple(_reasons(review, Verdict.SAFE)), is_detail=True),
        Section(title="Distributions in what is new", lines=tuple(_brought(review)), is_detail=True),
        Section(title="Own files", lines=tuple(_files(review)), is_detail=True),
        Section(title="Every line of the plan", lines=tuple(_resources(review)), is_detail=True),
        Section(title="The same by Terraform alone", lines=review.commands, is_detail=True, is_code=True),
    )
    return tuple(each for each in sections if each.lines)


def headline(review: Review) -> str:
    """Return one line that says it all."""
    if review.is_empty:
        drift = f"; {len(review.drift)} changed outside Terraform" if review.drift else ""
        return f"{review.verdict}: {review.repository} {review.env}, nothing to change{drift}"
    counts = _counts((change, review.count(change)) for change in Change)
    return f"{review.verdict}: {review.repository} {review.env}, {counts or 'only outputs change'}"


def code_words(code: CodeChange) -> Iterator[str]:
    """Yield what changes in the bytes of an artifact, as far as it is known."""
    if code.zip_bytes and code.zip_bytes[0] != code.zip_bytes[1]:
        yield f"zip {delta(*code.zip_bytes)}"
    if code.unzipped_bytes and code.unzipped_bytes[0] != code.unzipped_bytes[1]:
        yield f"unzipped {delta(*code.unzipped_bytes)}"


def _reasons(review: Review, verdict: Verdict) -> Iterator[str]:
    for group in grouped(each for each in review.reasons if each.verdict is verdict):
        yield f"{_subjects(group.subjects, group.text)} ({group.rule})"


def _subjects(subjects: Sequence[str], text: str) -> str:
    """Return ``functions/orders: text``, or ``text (298 functions)``."""
    if len(subjects) <= _NAMED:
        return f"{', '.join(subjects)}: {text}"
    what = "functions" if all(each.startswith("functions/") for each in subjects) else "subjects"
    return f"{text} ({len(subjects)} {what})"


def _noted(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    found: dict[str, dict[str, None]] = {}
    for text, subject in pairs:
        found.setdefault(text, {})[subject] = None
    return tuple(_subjects(sorted(subjects), text) for text, subjects in found.items())


def _grants(grants: Iterable[Grant], *, gained: bool) -> tuple[str, ...]:
    pairs: dict[str, dict[str, None]] = {}
    for each in grants:
        if each.gained is gained:
            wide = " [wildcard]" if each.wildcards else ""
            reason = f"; the reason given: {each.reason}" if each.reason else ""
            pairs.setdefault(f"{each.text}{wide}{reason}", {})[each.who] = None
    return tuple(f"{_who(sorted(who))} {text}" for text, who in pairs.items())


def _who(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{len(names)} functions" if all(each.startswith("functions/") for each in names) else f"{len(names)} others"


def _loss(loss: Loss) -> str:
    does = "replaced" if loss.replaced else "destroyed"
    lost = f"; lost: {', '.join(loss.lost)}" if loss.lost else ""
    why = f" ({'; '.join(loss.why)})" if loss.why else ""
    return f"{loss.subject}: {f'{loss.kind} {loss.name}'.strip()} {does}{why}{lost}"


def _functions(review: Review) -> Iterator[Section]:
    several = len(review.functions) > _SINGLY
    if several:
        groups = grouped_changes(review.functions)
        yield Section(
            title="What changes in functions", lines=tuple(_subjects(each.subjects, each.text) for each in groups)
        )
    lines = tuple(line for each in review.functions for line in _function(each))
    yield Section(title="Functions, one by one" if several else "Functions", lines=lines, is_detail=several)


def _function(function: FunctionReview) -> Iterator[str]:
    where = f"stack {function.stack}, " if function.stack else ""
    live = f"version {function.live} is live" if function.live else "not deployed yet"
    yield f"{function.change.sign} {function.subject} ({where}{live})"
    told = [*changes_of(function), *(code_words(function.code) if function.code else ())]
    if function.import_time and not function.import_time.differs:
        told.append(function.import_time.text)
    yield from (f"  {line}" for line in told)


def _layer(layer: LayerReview) -> Iterator[str]:
    users = ", ".join(layer.functions) if len(layer.functions) <= _NAMED else f"{len(layer.functions)} functions"
    yield f"{layer.change.sign} {layer.subject}, used by {users or 'no function'}"
    if layer.code:
        yield from (f"  {line}" for line in dependencies_of(layer.code, layer.change))
        yield from (f"  {line}" for line in code_words(layer.code))


def _brought(review: Review) -> Iterator[str]:
    """Yield what new functions and layers bring with them."""
    for each in _parts(review):
        if each.change is Change.ADDED and each.code and each.code.dependencies:
            yield each.subject
            yield from (f"  {found.name} {found.after}" for found in each.code.dependencies)


def _files(review: Review) -> Iterator[str]:
    for each in _parts(review):
        files = each.code.files if each.code else ()
        if files:
            yield each.subject
        for file in files[:_SHOWN_FILES]:
            yield f"  {file.change.sign} {file.path}"
        if len(files) > _SHOWN_FILES:
            yield f"  … and {len(files) - _SHOWN_FILES} more"


def _parts(review: Review) -> tuple[FunctionReview | LayerReview, ...]:
    return (*review.functions, *review.layers)


def _costs(review: Review) -> Iterator[str]:
    if not review.costs.items:
        return
    found: dict[str, list[Cost]] = {}
    for each in review.costs.items:
        found.setdefault(f"{each.text}: {_usd(each.before_usd)} → {_usd(each.after_usd)} per {each.per}", []).append(
            each
        )
    for text, items in found.items():
        yield _subjects(sorted({each.subject for each in items}), text)
    yield f"Prices: {review.costs.prices}."
    yield from review.costs.assumes


def _cost_words(review: Review) -> str:
    before, after = review.costs.monthly_usd
    if not review.costs.items:
        return ""
    fixed = f"; whatever the traffic {after - before:+.2f} USD a month" if before != after else ""
    words = {Direction.UNKNOWN: "depends on the traffic"}
    return f"{words.get(review.costs.direction, review.costs.direction)}{fixed}"


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.2f} USD"


def _drift(drift: Drift) -> str:
    what = f"{drift.kind} {drift.name}".strip()
    paths = f" ({', '.join(drift.attributes)})" if drift.attributes else ""
    rights = "".join(f"; {each.sentence}" for each in drift.grants if each.gained)
    then = "this plan touches it, too" if drift.is_undone else "this plan leaves it so"
    return f"{drift.subject}: {what} {drift.change} {paths}; {then}{rights}".replace("  ", " ").replace(" ;", ";")


def _resources(review: Review) -> Iterator[str]:
    for each in review.resources:
        stack = f"{each.stack}: " if each.stack else ""
        paths = f" ({', '.join(each.attributes)})" if each.attributes else ""
        moved = f" from {each.moved_from}" if each.moved_from else ""
        yield f"{each.change.sign} {stack}{each.address}{moved}{paths}"
    yield from (f"~ output {each.text}" for each in review.outputs)


def _running_words(review: Review) -> str:
    running = review.running
    if running is None:
        return ""
    dirty = ", with changes that no commit holds" if running.dirty else ""
    return f"release {running.id} of commit {(running.commit or 'unknown')[:12]}{dirty}"


def _counts(counted: Iterable[tuple[Change, int]]) -> str:
    return ", ".join(f"{count} {change}" for change, count in counted if count)
