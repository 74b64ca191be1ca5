"""The same words on many subjects, said once: a plan for 300 functions stays readable."""

from collections.abc import Iterable
from dataclasses import dataclass

from build.review.changes import Change, CodeChange, FunctionReview
from build.review.words import Reason, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The same words on several subjects."""

    text: str
    subjects: tuple[str, ...]
    """Sorted; at least one."""
    verdict: Verdict | None = None
    rule: str = ""


def grouped(reasons: Iterable[Reason]) -> tuple[Group, ...]:
    """Return ``reasons``, those that differ in the subject alone together; the order of the first of each is kept."""
    found: dict[tuple[Verdict, str, str], set[str]] = {}
    for each in reasons:
        found.setdefault((each.verdict, each.rule, each.text), set()).add(each.subject)
    return tuple(
        Group(text=text, subjects=tuple(sorted(subjects)), verdict=verdict, rule=rule)
        for (verdict, rule, text), subjects in found.items()
    )


def changes_of(function: FunctionReview) -> tuple[str, ...]:
    """Return what changes of ``function`` in short lines that have no name of it, so that many can be grouped."""
    code = function.code
    lines = [f"function {function.change}"] if function.change is not Change.CHANGED else []
    if code and not code.is_known and function.change not in (Change.ADDED, Change.REMOVED):
        lines.append("code changed; what runs now could not be read")
    if code and code.files:
        counts = [f"{code.count(each)} {each}" for each in Change if code.count(each)]
        lines.append(f"own files: {', '.join(counts)}")
    lines += dependencies_of(code, function.change)
    lines += [function.import_time.text] if function.import_time and function.import_time.differs else []
    lines += [each.text for each in function.settings]
    lines += [f"environment {each.text}" for each in function.environment]
    lines += [each.text for each in function.triggers]
    lines += [f"layer {each.text}" for each in function.layers]
    return (*lines, *function.others)


def dependencies_of(code: CodeChange | None, change: Change) -> tuple[str, ...]:
    """Return a line for each distribution that changes; of what is new itself their number, since all of them are."""
    found = tuple(each.text for each in code.dependencies) if code else ()
    if not found or change is not Change.ADDED:
        return found
    return (f"{len(found)} distribution{'s' if len(found) > 1 else ''}",)


def grouped_changes(functions: Iterable[FunctionReview]) -> tuple[Group, ...]:
    """Return what changes, each line once with the subjects it holds for; the most shared first, then by text."""
    found: dict[str, set[str]] = {}
    for function in functions:
        for line in changes_of(function):
            found.setdefault(line, set()).add(function.subject)
    groups = [Group(text=text, subjects=tuple(sorted(subjects))) for text, subjects in found.items()]
    return tuple(sorted(groups, key=lambda group: (-len(group.subjects), group.text)))
