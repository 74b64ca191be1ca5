"""How releases are printed: one row with all it tells, and what differs between two."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from build import report
from build.inspection.differences import Difference, FileChange
from build.inspection.sizes import shown_bytes
from build.release.comparing import ADDED, CHANGED, REMOVED, Comparison, Part, Step
from build.release.figures import in_order, spoken
from build.release.lookup import Named, artifacts_of, origin_of
from build.release.rows import Author, Release

_BAR = 30
_MOST_FILES = 20
_SIGNS = {ADDED: "+", CHANGED: "~", REMOVED: "−"}
_Row = tuple[str, ...]


def print_release(found: Named, rows: Sequence[Release]) -> None:
    """Print the release that was ``found`` among ``rows``: what it is, then a table for each of its parts."""
    release = found.release
    _print(_about(found))
    _table(("stage", "took", ""), _stages(release), right=("took",))
    right = ("distributions", "size")
    functions = ("function", "was", "live", "published", "its artifact", *right, "stack")
    _table(functions, _functions(release, rows), right=right)
    _table(("layer", "artifact", *right), _layers(release), right=right)
    plans = [
        (stack or "the env's own", str(each.changes), _short(each.digest)) for stack, each in release.plans.items()
    ]
    _table(("stack", "resources changed", "plan"), plans, right=("resources changed",))
    _table(("lock of", "digest"), [(place, _short(digest)) for place, digest in sorted(release.locks.items())])
    _table(("tool", "version"), sorted(release.tools.items()))


def _about(found: Named) -> Iterator[str]:
    release = found.release
    yield f"release {release.id} of {release.env}: {release.kind}, {release.outcome}"
    took = f", over by {_time(release.ended_at)}" if release.ended_at else ""
    facts = {
        "asked for": f"{found.digest}, {', '.join(_places_of(release, found.digest))}" if found.digest else "",
        "also in": f"releases {', '.join(found.also)}" if found.also else "",
        "began": _time(release.at) + took,
        "by": _author(release.by),
        "run": release.by.run,
        "commit": f"{release.commit or 'none'}{', with changes that no commit holds' if release.dirty else ''}",
        "error": release.error,
        "because of": f"release {release.of}" if release.of else "",
        "verdict": release.verdict,
        "review": release.review,
        "hand-off": release.handoff_digest,
        "schema": str(release.schema),
    }
    yield from (f"  {name:<10}  {value}" for name, value in facts.items() if value)


def _stages(release: Release) -> Iterator[_Row]:
    longest = max(release.durations.values(), default=0.0) or 1.0
    for name in in_order(release.durations):
        seconds = release.durations[name]
        yield name, spoken(seconds), "█" * max(round(_BAR * seconds / longest), 1)
    if release.durations:
        yield "all", spoken(sum(release.durations.values())), ""


def _functions(release: Release, rows: Sequence[Release]) -> Iterator[_Row]:
    artifacts = artifacts_of(release)
    made = {place.removeprefix("functions/") for place in artifacts if place.startswith("functions/")}
    for name in sorted({*release.versions, *release.live, *release.before, *made}):
        was, live, version = release.before.get(name), release.live.get(name), release.versions.get(name)
        shares = "".join(f", {share:.0%} version {other}" for other, share in was.weights.items()) if was else ""
        origin = origin_of(rows, name, live) if live and live != version else ""
        yield (
            name,
            f"{was.version}{shares}" if was else "",
            f"{live or ''}{f' (of release {origin})' if origin else ''}",
            version or "",
            *_made(release, f"functions/{name}"),
            release.stacks.get(name, ""),
        )


def _layers(release: Release) -> Iterator[_Row]:
    for place in sorted(artifacts_of(release)):
        if place.startswith("layers/"):
            yield (place.removeprefix("layers/"), *_made(release, place))


def _made(release: Release, place: str) -> _Row:
    """Return the digest, number of distributions and size of the artifact at ``place``, as far as they are known."""
    artifact = artifacts_of(release).get(place)
    if artifact is None:
        return "", "", ""
    count = str(len(artifact.distributions)) if release.artifacts else ""
    return _short(artifact.digest), count, report.megabytes(artifact.size_bytes)


def print_comparison(
    found: Comparison, files: Mapping[str, Difference | None], rows: Sequence[Release], env: str
) -> None:
    """Print what differs; ``files`` has by place how artifacts differ inside, None where one of two is gone."""
    head = f"release {found.old} → {found.new} of {env}"
    _print([f"{head}: nothing differs"] if found.is_empty else [head])
    for place, part in found.parts.items():
        _print(["", *_part(place, part)])
        _print(f"  {line}" for line in _inside(part, files, place))
    if found.live:
        _print(["", "callers reach version", *(f"  {_step(each)}{_origin(each, found, rows)}" for each in found.live)])
    for title, steps in (
        ("stacks", found.stacks),
        ("locks", found.locks),
        ("tools", found.tools),
    ):
        if steps:
            _print(["", title, *(f"  {_step(each)}" for each in steps)])


def _origin(step: Step, found: Comparison, rows: Sequence[Release]) -> str:
    """Return which release the version comes from, if that is another one than the one that is looked at."""
    origin = origin_of(rows, step.name, step.after) if step.after else ""
    return f", of release {origin}" if origin not in {"", found.new} else ""


def _part(place: str, part: Part) -> Iterator[str]:
    digests = [_short(digest) for digest in (part.before, part.after) if digest]
    code = f", artifact {' → '.join(digests)}" if part.has_other_code else ", same code" if digests else ""
    yield f"{place} {part.change}{code}"
    if part.change == CHANGED:
        yield from (f"  {_step(each)}" for each in part.distributions)
    elif part.distributions:
        yield f"  {len(part.distributions)} distributions"
    yield from (f"  {_step(each)}" for each in part.settings)
    for word, changes in (
        ("environment ", part.environment),
        ("trigger ", part.triggers),
        ("may ", part.permissions),
        ("layer ", part.layers),
    ):
        yield from (f"  {_SIGNS[change]} {word}{name}" for name, change in changes.items())


def _inside(part: Part, files: Mapping[str, Difference | None], place: str) -> Iterator[str]:
    """Yield what differs in the zips of one artifact that is in both releases."""
    if place not in files:
        return
    inside = files[place]
    if inside is None:
        yield "its files cannot be compared: neither the store nor the bucket has both zips any more"
        return
    if not part.distributions:  # a row of the first schema knows none
        for each in inside.distributions:
            if each.before != each.after:
                yield _step(Step(name=each.name, before=each.before, after=each.after))
    own = [each for each in inside.files if not each.owner and not each.path.endswith(".pyc")]
    yield from (_file(each) for each in own[:_MOST_FILES])
    rest = len(inside.files) - len(own[:_MOST_FILES])
    if rest:
        yield f"and {rest} more, those of distributions and bytecode included"


def _file(change: FileChange) -> str:
    before, after = change.before_bytes, change.after_bytes
    sign = _SIGNS[ADDED if before is None else REMOVED if after is None else CHANGED]
    step = (after or 0) - (before or 0)
    return f"{sign} {change.path}  {'−' if step < 0 else '+'}{shown_bytes(abs(step))}"


def _step(step: Step) -> str:
    """Return ``~ requests 2.31.0 → 2.32.3``."""
    if step.before is None or step.after is None:
        sign, value = ("+", step.after) if step.before is None else ("−", step.before)
        return f"{sign} {step.name} {_short(value or '')}"
    return f"~ {step.name} {_short(step.before)} → {_short(step.after)}"


def _short(digest: str) -> str:
    """Return twelve digits of a digest; anything else as it is."""
    return digest.removeprefix("sha256:")[:12] if digest.startswith("sha256:") else digest


def _places_of(release: Release, digest: str) -> list[str]:
    return sorted(place for place, each in artifacts_of(release).items() if each.digest == digest)


def _author(author: Author) -> str:
    return f"{author.actor} ({author.arn})" if author.actor and author.arn else author.actor or author.arn


def _time(at: str) -> str:
    return f"{at[:19].replace('T', ' ')} UTC" if at else ""


def _table(columns: _Row, rows: Iterable[_Row], *, right: _Row = ()) -> None:
    rows = list(rows)
    if rows:
        _print([""])
        report.print_table(columns, rows, right=right)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
