"""Look into artifacts: `size`, `why`, `diff`, `verify`. Findings do not stop them: they help to mend what was found."""

import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from build import report
from build.errors import FindingsError, InputError
from build.inspection.contents import Contents, read_contents
from build.inspection.records import Record, record_of, records, revision
from build.locking.locks import Lock, read_locks
from build.model import Build, Workspace
from build.project.discovery import discover
from build.store.objects import Store
from build.verbs import shown
from build.verbs.choosing import function_named

_Opened = Mapping[str, Contents]
"""What artifacts hold, by their names."""

_read = cache(read_contents)


def size(root: Path, env: str, function: str, *, as_json: bool, as_html: bool) -> None:
    """Show what takes the room in one function, or in all of them and in layers that none uses."""
    from build.inspection.sizes import sizes_of

    workspace, show = discover(root, env), report.Reporter()
    chosen = [function_named(workspace, function)] if function else workspace.functions
    made, _ = _made(workspace, show)
    layers = {spec.name: made.layers_of(spec) for spec in chosen}
    sizes = [sizes_of(made.functions[spec.name], layers[spec.name], _read) for spec in chosen]
    if not function:
        used = {layer.key for each in layers.values() for layer in each}
        sizes += [sizes_of(layer, [], _read) for layer in made.layer_artifacts if layer.key not in used]
    sizes.sort(key=lambda each: -each.tree.size_bytes)
    if not sizes:
        show.note("there is no function and no layer yet; run `invoke new NAME`")
    if as_html:
        from build.inspection.treemap import page

        place = workspace.generated / "reports" / "size.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(page(f"{workspace.name}, env {env}", sizes), encoding="utf-8")
        show.note(f"wrote {place}")
    if as_json:
        report.print_json([each.to_json(depth=3 if function else 2) for each in sizes])
    elif not as_html:
        shown.print_sizes(sizes, in_depth=bool(function))


def why(root: Path, env: str, distribution: str, function: str, *, as_json: bool) -> None:
    """Show what brings a distribution into a function; exit code 1 if nothing does."""
    from build.inspection.reasons import Wanting, why_there, wishes_of

    workspace, show = discover(root, env), report.Reporter()
    spec = function_named(workspace, function)
    made, locks = _made(workspace, show)
    specs = {each.identity: each for each in workspace.specs}
    wanting = [
        Wanting(
            artifact=artifact.place,
            wishes=wishes_of(specs[artifact.identity].folder, locks[artifact.identity]),
            contents=_read(artifact.path),
        )
        for artifact in (made.functions[spec.name], *made.layers_of(spec))
    ]
    answer = why_there(distribution, wanting, spec.target)
    if as_json:
        report.print_json(answer.to_json())
    else:
        shown.print_why(answer)
    if not answer.is_there:
        raise FindingsError(
            f"nothing brings {answer.distribution} to {spec.identity}{answer.meant}",
            facts=[f"looked at what {each.artifact} wants and holds, for {spec.target}" for each in wanting],
            hint=f"run `invoke size -f {spec.name}` to see what is there, or add it to what {spec.identity} wants",
        )


def diff(root: Path, env: str, function: str, *, old: str, new: str, as_json: bool) -> None:
    """Show what changed since the last build that was another, since revision ``old``, or between two zips."""
    from build.inspection.differences import NOTHING, difference

    if new and function:
        raise InputError(
            "two zips are compared as a whole",
            facts=[f"expected no function beside --to, got {function}"],
            hint=f"run `invoke diff --from {old or 'ZIP'} --to {new}`, or `invoke diff --from ZIP -f {function}`",
        )
    before, after, since = _before_and_after(root, env, function, old) if not new else _two_zips(old, new)
    found = {
        name: difference(before.get(name, NOTHING), after.get(name, NOTHING)) for name in sorted({*before, *after})
    }
    if as_json:
        changed = {name: each.to_json() for name, each in found.items() if not each.is_empty}
        report.print_json({"since": since, "artifacts": changed})
    else:
        shown.print_differences(found, since)


def verify(root: Path, env: str, python: str, *, record: bool) -> None:
    """Build everything elsewhere too; exit code 1 if any byte differs. With ``record``, note that beside the ledger."""
    from build.inspection.verify import differences_elsewhere, python_for

    workspace, show = discover(root, env), report.Reporter()
    note = _recorder(workspace, python) if record else None  # a wrong account ends it before anything is built
    made, _ = _made(workspace, show)
    with show.stage("verify"):
        program = python_for(python, root, on_progress=show.say) if python else Path(sys.executable)
        found = differences_elsewhere(workspace, made, python=program, on_progress=show.say)
    if note:
        with show.stage("record"):
            show.say(note(made, found))
    if found:
        raise FindingsError(
            "what is built here has other bytes when it is built elsewhere",
            facts=[f"{name}: {difference}" for name, difference in found.items()],
            hint="of each pair the first is from here; run `invoke doctor` and report both",
        )
    show.note(f"{len(made.artifacts)} artifacts have the same bytes when they are built elsewhere")


def _recorder(workspace: Workspace, python: str) -> Callable[[Build, Mapping[str, str]], str]:
    """Return what records a verification, and gives the key of the record; the commit is the one of now."""
    from build import pipeline, recording
    from build.release.verifications import Verification
    from build.release.verifications import record as write

    aws = pipeline.reach(workspace)
    here = platform.python_version()
    verification = Verification(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        env=workspace.env.name,
        commit=recording.commit_of(workspace.root),
        dirty=recording.is_dirty(workspace.root),
        platform=f"{platform.system()}-{platform.machine()}",
        pythons=(here, python or here),
        artifacts={},
        by=recording.author(aws),
    )

    def note(made: Build, found: Mapping[str, str]) -> str:
        digests = {place: str(digest) for place, digest in record_of(made).items()}
        return write(recording.ledger(workspace, aws), replace(verification, artifacts=digests, differences=found))

    return note


def _before_and_after(root: Path, env: str, function: str, old: str) -> tuple[_Opened, _Opened, str]:
    """Return what to compare, by name of the artifact, and what the former is called."""
    workspace, show = discover(root, env), report.Reporter()
    if function:
        function_named(workspace, function)
    made, _ = _made(workspace, show)
    after = _chosen(record_of(made), function)
    if Path(old).is_file():
        if not function:
            raise InputError(
                "a zip can be compared with one artifact only",
                facts=[f"expected a function or a second zip to compare {old} with"],
                hint="run `invoke diff --from ZIP -f NAME` or `invoke diff --from ZIP --to ZIP`",
            )
        return dict.fromkeys(after, _read(_zip(old))), _opened(workspace, after), Path(old).name
    if old:
        with revision(root, old) as former:
            made, _ = _made(discover(former, env), show)
            return _opened(workspace, _chosen(record_of(made), function)), _opened(workspace, after), old
    store = Store(workspace.generated / "store")  # some of what was recorded may be pruned
    earlier = [_chosen(known, function) for known in records(workspace)]
    others = [each for each in earlier if each != after and all(store.artifact(d).is_file() for d in each.values())]
    if not others:
        raise InputError(
            "no other build to compare with is kept here",
            hint=f"run `invoke diff --from HEAD --env {env}` to compare with the last commit, or name any other",
        )
    return _opened(workspace, others[-1]), _opened(workspace, after), "the build before"


def _chosen(known: Record, function: str) -> Record:
    return {name: digest for name, digest in known.items() if not function or name == f"functions/{function}"}


def _opened(workspace: Workspace, known: Record) -> _Opened:
    store = Store(workspace.generated / "store")
    return {name: _read(store.artifact(digest)) for name, digest in known.items()}


def _two_zips(old: str, new: str) -> tuple[_Opened, _Opened, str]:
    name = Path(new).name
    return {name: _read(_zip(old))}, {name: _read(_zip(new))}, Path(old).name


def _zip(place: str) -> Path:
    if Path(place).is_file():
        return Path(place)
    raise InputError(
        f"no zip: {place or 'no file was named'}",
        facts=["expected two files to compare"],
        hint="run `invoke diff --from OLD.zip --to NEW.zip`",
    )


def _made(workspace: Workspace, show: report.Reporter) -> tuple[Build, Mapping[str, Lock]]:
    """Return all artifacts, built or found, and the locks they were built from."""
    from build.packaging.assemble import build_workspace
    from build.store.sharing import opened

    with show.stage("lock"):
        locks = read_locks(workspace)
    with show.stage("build"), opened(workspace, say=show.say, warn=show.note) as store:
        return build_workspace(workspace, locks, store, on_progress=show.say), locks
