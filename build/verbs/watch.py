"""The dev loop: `watch`, `start`."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from build import report
from build.errors import FindingsError, InputError, SlipwayError
from build.model import LOCAL, Workspace
from build.project.discovery import discover
from build.verbs.choosing import function_named

if TYPE_CHECKING:
    from build.release.requests import Line
    from build.watching.session import Target

_AGAIN_S = 1.0
"""Between two looks at which functions there are, and for a cloud that is gone."""


def watch(root: Path, env: str, *, function: str, event: str, rerun: bool, sync: bool) -> None:
    """Have what is saved run in ``env``, until Ctrl-C; with ``rerun`` or an ``event``, invoke it again."""
    from build.release.calls import read_event
    from build.watching.rerun import Rerun
    from build.watching.session import Session

    workspace = discover(root, env)
    spec = function_named(workspace, function) if function else None
    if event and spec is None:
        raise InputError("--event: of which function?", hint=f"run `invoke watch -f NAME --event {event}`")
    target = _target(workspace, sync=sync)
    given = read_event(spec, event) if spec and event else None
    again = Rerun(target, given, _say) if rerun or given else None
    try:
        Session(root, env, target, only=function, say=_say, after=again).run()
    except KeyboardInterrupt:
        _say("stopped watching")


def start(root: Path) -> None:
    """Deploy to the embedded cloud unless that was done, then watch, and show what functions log, until Ctrl-C."""
    from build.local import cloud
    from build.verbs import care
    from build.watching.embedded import Embedded, is_deployed
    from build.watching.session import Session

    try:
        if not is_deployed(discover(root, LOCAL)):
            _deploy(root)
        else:
            care.local_status(root, as_json=False)
        threading.Thread(target=_follow_logs, args=(root,), name="logs", daemon=True).start()
        Session(root, LOCAL, Embedded(root), say=_say).run()
    except KeyboardInterrupt:
        running = cloud.running(root)
        _say("stopped watching" + ("; the embedded cloud goes on: `invoke local.stop` ends it" if running else ""))


def _target(workspace: Workspace, *, sync: bool) -> "Target":
    env = workspace.env
    if env.is_local:
        from build.watching.embedded import Embedded

        return Embedded(workspace.root)
    if not sync:
        raise InputError(
            f"watching {env.name} changes functions in account {env.account_id}",
            facts=["what is saved would be published there, made live, and told as drift"],
            hint=f"run `invoke watch --env {env.name} --sync` if that is meant, or `invoke watch`",
        )
    from build.watching.account import account

    return account(workspace, report.Reporter())


def _deploy(root: Path) -> None:
    """Deploy all; a function that fails its first event can be mended while it is watched."""
    from build.verbs import deploy

    plain = {"as_json": False, "allow_delete": False, "replan": False, "every_stack": False}
    try:
        deploy.deploy(root, LOCAL, saved="", again=False, **plain)
    except FindingsError as reason:
        _say(str(reason))


def _follow_logs(root: Path) -> None:
    """Show what all functions log, of whichever embedded cloud there is."""
    from build.verbs.logs import Wanted, tell

    while True:
        try:
            tell(_logged(root), Wanted())
        except SlipwayError:
            time.sleep(_AGAIN_S)


def _logged(root: Path) -> "Iterator[Sequence[Line]]":
    """Yield lines as they come, also of functions that are deployed meanwhile."""
    from build import pipeline
    from build.release.logs import batches

    groups = _groups(root)
    looked = time.monotonic()
    for lines in batches(groups, pipeline.reach(discover(root, LOCAL)).client("logs"), since_s=0, is_local=True):
        yield lines
        if time.monotonic() > looked + _AGAIN_S:
            looked = time.monotonic()
            groups.update(_groups(root))


def _groups(root: Path) -> dict[str, str]:
    workspace = discover(root, LOCAL)
    return {spec.name: workspace.log_group(spec.name) for spec in workspace.functions}


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
