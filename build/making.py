"""The first half of the road: from folders to artifacts that were checked.

Nothing leaves this machine, but for what a remote store in slipway.toml shares.

discover → lock → resolve → assemble → check
"""

from collections.abc import Iterable

from build.checks import check
from build.errors import FindingsError
from build.imaging import Grounds, buildable
from build.inspection.records import record
from build.inspection.sbom import write_sboms
from build.locking.locks import read_locks, unpinned
from build.model import Built, Finding, Severity, Workspace
from build.packaging.assemble import build_workspace
from build.project.interpreters import look_ahead
from build.report import Reporter
from build.store.exposed import expose
from build.store.sharing import opened


def build(workspace: Workspace, show: Reporter, *, narrowed: bool = False) -> Built:
    """Make every artifact and check it. Touches nothing but .artifacts/ and the package index.

    With ``narrowed`` the workspace is a part of the repository's that was asked for: all of it is built, and `diff` has
    nothing to compare with.
    """
    workspace = buildable(workspace, show, all_of_it=narrowed)
    look_ahead(function.target.runtime for function in workspace.functions)
    with show.stage("lock"):
        locks = read_locks(workspace)
    with opened(workspace, say=show.say, warn=show.note) as store:
        with show.stage("build"):
            base_of = Grounds(workspace, store, show).base_of
            artifacts = build_workspace(workspace, locks, store, on_progress=show.say, base_of=base_of)
        with show.stage("check"):
            findings = (*unpinned(locks), *check(workspace, artifacts, store))
    show.findings(findings)
    _stop_on_errors(findings)
    expose(artifacts, workspace)
    write_sboms(workspace, artifacts, locks, store)
    if not narrowed:
        record(workspace, artifacts)
    beside = {path.relative_to(workspace.root).as_posix() for lock in locks.values() for path in lock.beside}
    return Built(workspace=workspace, build=artifacts, findings=findings, beside=tuple(sorted(beside)))


def _stop_on_errors(findings: Iterable[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        hints = list(dict.fromkeys(each.hint for each in errors))
        facts: list[str] = []
        for each in errors:
            facts += [f"{each.subject}: {each.message} ({each.rule})", *(f"  {line}" for line in each.details)]
            facts += [f"  → {each.hint}"] if len(hints) > 1 else []
        several = "mend what is listed, then run `invoke check`"
        raise FindingsError("the checks found errors", facts=facts, hint=several if len(hints) > 1 else hints[0])
