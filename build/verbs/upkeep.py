"""Keep an env as it was released, and no fuller than it need be: `drift`, `gc`."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build import report
from build.errors import AwsError, DriftError, InputError
from build.project.discovery import discover

if TYPE_CHECKING:
    from build.release.garbage import Cleanup, Forecast, Holdings, Thing
    from build.reviews import Drifted

_CODE = {"version", "layer"}
"""What Lambda's storage of code holds."""


def drift(root: Path, env: str, *, as_json: bool) -> None:
    """Say what is otherwise than the newest release left it; raise DriftError if anything is."""
    from build import pipeline, reviews

    workspace, show = discover(root, env), report.Reporter()
    with pipeline.alone(workspace):
        found = pipeline.drift(workspace, show)
        reviews.write(found.review, workspace.env_folder, "drift")
    if as_json:
        report.print_json(_drift_json(found))
    last = found.last
    if not last.is_settled:
        show.note(f"warning: release {last.id} ({last.kind}, {last.at}) is {last.outcome}: {last.error or 'no end'}")
    for each in found.strays:
        if not each.is_sure:
            show.note(f"in no state, if it is still there: {each.arn}")
    facts = [f"{each.place}: {each.text}" for each in found.code]
    facts += [f"{each.address}: {each.change} {', '.join(each.attributes)}".rstrip() for each in found.configuration]
    facts += [f"in no state: {each.arn}" for each in found.strays if each.is_sure]
    if facts:
        running = found.review.running
        raise DriftError(
            f"{env} is not as release {running.id if running else ''} left it",
            facts=facts,
            hint=f"see .artifacts/{env}/drift.md and docs/how-to/drift.md; `invoke deploy --env {env}` puts code and "
            f"configuration back as this checkout has them, `invoke rollback --env {env} --to ID` the aliases",
        )
    show.note("no drift")


def gc(root: Path, env: str, *, keep: int, apply: bool, as_json: bool) -> None:
    """Show what nothing needs any more, and why the rest stays; with ``apply`` remove it."""
    from build import pipeline, recording
    from build.release.garbage import cleanup
    from build.release.sweeping import Sweep, forecast, holdings

    if keep < 1:
        raise InputError(
            "one release at least has to stay: the one that runs",
            facts=[f"expected --keep 1 or more, got {keep}"],
            hint=f"run `invoke gc --env {env} --keep 1`",
        )
    workspace, show = discover(root, env), report.Reporter()
    aws = pipeline.reach(workspace)

    if not apply:
        with show.stage("look"):
            held = holdings(workspace, aws, recording.ledger(workspace, aws).rows(), datetime.now(UTC))
        made = cleanup(held, keep)
        _tell(held, made, forecast(held, aws.client("lambda")), (), show, as_json=as_json)
        show.note(f"nothing was removed; for that, run `invoke gc --env {env} --keep {keep} --apply`")
        return
    with recording.held(workspace, aws, show, verb="gc") as lease:
        with show.stage("look"):
            held = holdings(workspace, aws, recording.ledger(workspace, aws).rows(), datetime.now(UTC))
        with show.stage("remove"):
            gone, refused = Sweep(held=held, aws=aws, check=lease.check, say=show.say).run(keep)
    _tell(held, cleanup(held, keep, refused), forecast(held, aws.client("lambda")), gone, show, as_json=as_json)
    if refused:
        raise AwsError(
            f"{len(gone)} {'thing' if len(gone) == 1 else 'things'} went, {len(refused)} AWS did not let go",
            facts=[f"{each.kind} {each}: {why}" for each, why in sorted(refused.items())],
            hint=f"docs/how-to/gc.md has the rights it takes; then run `invoke gc --env {env} --keep {keep} --apply`",
        )


def _tell(
    held: "Holdings",
    made: "Cleanup",
    full: "Forecast",
    gone: "Collection[Thing]",
    show: report.Reporter,
    *,
    as_json: bool,
) -> None:
    """Print what stays, and why, and what goes, or has ``gone``; say how much that is, and how long there is room."""
    sizes = {each: facts.size_bytes for each, facts in held.things.items()}
    every = _in_order((*made.kept, *made.going))
    if as_json:
        storage: dict[str, Any] = {**asdict(full), "deploys": full.deploys}
        things = [_thing_json(each, sizes, made, gone) for each in every]
        report.print_json({"things": things, "code_storage": storage})
    else:
        rows = (
            (
                each.kind,
                str(each),
                report.megabytes(sizes[each]) if each in sizes else "",
                "stays" if each in made.kept else "gone" if each in gone else "goes",
                "; ".join(made.kept.get(each, ("nothing needs it",))),
            )
            for each in every
        )
        report.print_table(("what", "name", "size", "", "because"), rows, right=("size",))
    code = sum(sizes.get(each, 0) for each in made.going if each.kind in _CODE)
    stored = sum(sizes.get(each, 0) for each in made.going if each.kind not in _CODE)
    show.note(
        f"{len(made.going)} of {len(every)} {'went' if gone else 'may go'}: {report.megabytes(code)} of Lambda's code "
        f"storage, {report.megabytes(stored)} in the bucket and in repositories"
    )
    show.note(_forecast(full))


def _thing_json(
    each: "Thing", sizes: "Mapping[Thing, int]", made: "Cleanup", gone: "Collection[Thing]"
) -> dict[str, Any]:
    return {
        **asdict(each),
        "size_bytes": sizes.get(each),
        "stays": each in made.kept,
        "is_gone": each in gone,
        "reasons": made.kept.get(each, ()),
    }


def _in_order(things: "Iterable[Thing]") -> "list[Thing]":
    """Return ``things`` by kind, then whose they are, then number."""
    from build.release.garbage import KINDS

    def order(each: "Thing") -> tuple[int, str, int, str]:
        return KINDS.index(each.kind), each.of, int(each.name) if each.name.isdecimal() else 0, each.name

    return sorted(things, key=order)


def _forecast(full: "Forecast") -> str:
    whose = "of the account in this region" if full.is_whole else "of this env alone"
    share = f"{report.megabytes(full.used_bytes)} of {full.limit_bytes / 1024**3:.0f} GiB code storage used, {whose}"
    if full.deploys is None:
        return share
    return f"{share}; a deploy adds {report.megabytes(int(full.growth_bytes))}: full in about {full.deploys} deploys"


def _drift_json(found: "Drifted") -> dict[str, Any]:
    from build.review.shapes import to_json

    running, last = found.review.running, found.last
    return {
        "release": running.id if running else None,
        "newest": {key: getattr(last, key) for key in ("id", "kind", "outcome", "at", "ended_at", "error")},
        "code": [asdict(each) for each in found.code],
        "configuration": to_json(replace(found.review, drift=found.configuration))["drift"],
        "in_no_state": [asdict(each) for each in found.strays],
    }
