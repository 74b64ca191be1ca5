"""`check --import`: every handler is imported, cold, and compared with the newest release."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from build import report
from build.checks.distributions import brings, wanted_in
from build.errors import AwsError, FindingsError
from build.local import cloud
from build.local.importing import COLD_STARTS, Code, Failure, Imported, code_of, code_of_release, measure
from build.model import Built, FunctionSpec, Workspace
from build.release.aws import Aws
from build.release.ledger import Ledger
from build.report import Reporter
from build.store.objects import Store

_CALLS_AWS = ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionRefused", "Connection refused")


def import_handlers(built: Built, show: Reporter) -> None:
    """Show how long each import takes; raise FindingsError with all that fail."""
    workspace = built.workspace
    store = Store(workspace.generated / "store")
    running = cloud.running(workspace.root) if workspace.env.is_local else None
    take = partial(measure, workspace=workspace, store=store, endpoint=running.endpoint if running else None)
    row = _newest_release(workspace, running)
    results: list[tuple[FunctionSpec, Imported, str]] = []
    with show.stage("import"):
        for spec in workspace.functions:
            show.say(spec.name)
            code = code_of(spec, built.build)
            imported = take(code)
            before = code_of_release(spec, row, store) if row else None
            results.append((spec, imported, _change(code, imported, before, take)))
    _show(results)
    if row is None:
        show.note(f"no release to compare with; ms are medians of {COLD_STARTS} cold starts")
    _refuse_failures(results)


def _newest_release(workspace: Workspace, running: cloud.Cloud | None) -> Mapping[str, Any] | None:
    """Return the newest row of the ledger where it costs nothing to ask: in an embedded cloud that runs."""
    if running is None:
        return None
    env = workspace.env
    aws = Aws(env=env, environ=cloud.isolated(os.environ, running, env))
    try:
        newest = Ledger(s3=aws.client("s3"), bucket=env.artifact_bucket, owner=env.account_id).newest()
    except AwsError:
        return None
    return newest.to_json() if newest else None


def _change(code: Code, imported: Imported, before: Code | None, take: Callable[[Code], Imported]) -> str:
    """Say what the import took in the newest release, and how much more it takes now."""
    if before is None or imported.took_ms is None:
        return ""
    if before == code:
        return "unchanged"
    then = take(before).took_ms
    return "" if then is None else f"{then:.0f} ms, {imported.took_ms - then:+.0f}"


def _show(results: Sequence[tuple[FunctionSpec, Imported, str]]) -> None:
    rows = []
    for spec, imported, change in results:
        took = "failed" if imported.failure else f"not run: {imported.not_run}" if imported.not_run else ""
        slowest = ", ".join(f"{name} {ms:.0f}" for name, ms in imported.slowest)
        rows.append((spec.name, took or f"{imported.took_ms:.0f} ms", slowest, change))
    columns = ("function", "import", "slowest top-level modules, ms", "in the last release")
    report.print_table(columns, rows, right=("import",))


def _refuse_failures(results: Sequence[tuple[FunctionSpec, Imported, str]]) -> None:
    facts: list[str] = []
    for spec, imported, _ in results:
        if imported.failure:
            facts += [f"{spec.identity}: importing `{spec.handler}`: {imported.failure.message}"]
            facts += [*(f"  {line}" for line in imported.failure.lines), f"  → {_way_out(spec, imported.failure)}"]
    if facts:
        raise FindingsError(
            "handlers that cannot be imported", facts=facts, hint="mend them, then run `invoke check --import`"
        )


def _way_out(spec: FunctionSpec, failure: Failure) -> str:
    text = "\n".join([failure.message, *failure.lines])
    if any(word in text for word in _CALLS_AWS):
        return "it calls AWS while it is imported: do that in the handler, or run `invoke deploy --env local` first"
    if failure.message.startswith("KeyError") and "environ" in text:
        return f"set the variable in [environment] of {spec.identity}/function.toml"
    if failure.message.startswith("ModuleNotFoundError") and failure.module:
        if spec.foreign_layers:
            return "layers from elsewhere are not there; that they hold it cannot be seen here"
        what = brings(failure.module) or f"what brings `{failure.module}`"
        return f"add {what} to {wanted_in(spec)} and run `invoke lock`"
    return "mend what the last line above tells"
