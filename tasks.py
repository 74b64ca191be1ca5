"""Slipway's verbs. `invoke --list` shows them, `invoke --help VERB` explains one.

Verbs only: what they do is in build/, whose tour begins in build/pipeline.py. Imports wait inside the
tasks, so that listing them is instant. Anything that reaches a real account names it with --env.
"""

import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit, Failure
from invoke.tasks import task

from build.errors import EXIT_CODE_OF_A_BUG, SlipwayError, ToolError

ROOT = Path(__file__).resolve().parent
# invoke forbids bytecode to spare people a tasks.pyc; build/ would be compiled anew at every run, which takes 0.2 s.
sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


Verb = Callable[..., None]


def verb(**options: Any) -> Callable[[Verb], Verb]:
    """Make a task whose designed errors end in their own words and exit code."""

    def decorate(function: Verb) -> Verb:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            # One that our caller closed, as `>&-` does, is None: then nobody reads it.
            nobody = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (to the end)
            sys.stdout, sys.stderr = sys.stdout or nobody, sys.stderr or nobody
            # A cancelled CI job sends SIGTERM: then, too, what runs is ended gently and locks are let go.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            try:
                function(*args, **kwargs)
            except SlipwayError as error:
                raise Exit(str(error), code=error.exit_code) from None
            except (Exit, Failure):
                raise
            except KeyboardInterrupt:
                raise Exit("stopped", code=130) from None
            except OSError as reason:
                place = f": {reason.filename}" if reason.filename else ""
                hint = "hint: free some room, or mend the permissions, then run the same command"
                raise Exit(f"error: {reason.strerror or reason}{place}\n{hint}", code=ToolError.exit_code) from None
            except Exception:
                traceback.print_exc()
                bug = "error: this is a bug in Slipway\nhint: run `invoke doctor` and report both"
                raise Exit(bug, code=EXIT_CODE_OF_A_BUG) from None

        made: Verb = task(run, **options)
        return made

    return decorate


# ── make ──────────────────────────────────────────────────────────────────────────────────────


@verb(positional=["name"])
def new(c: Context, name: str) -> None:
    """Scaffold functions/NAME."""
    from build.project.scaffold import new_function

    for path in new_function(ROOT, name):
        print(path.relative_to(ROOT))


@verb(help={"check": "only tell whether the locks are current", "upgrade": "take the newest versions that fit"})
def lock(c: Context, check: bool = False, upgrade: bool = False, function: str = "", layer: str = "") -> None:
    """Pin what every function and layer wants, for all targets and with hashes."""
    from build.verbs import make

    make.lock(ROOT, check=check, upgrade=upgrade, function=function, layer=layer)


@verb(name="build", help={"json": "one JSON object on stdout", "only": "names of functions: NAME[,NAME]"})
def build_artifacts(c: Context, env: str = "local", json: bool = False, only: str = "") -> None:
    """Make the zips of all functions and layers under .artifacts/ and check them."""
    from build.verbs import building

    building.build(ROOT, env, as_json=json, only=only)


@verb(help={"since": "a git revision", "json": "a matrix for GitHub Actions", "shares": "jobs in it at most"})
def affected(c: Context, since: str, json: bool = False, shares: int = 20) -> None:
    """Show which functions and layers a change since a revision touches, and why."""
    from build.verbs import affected

    affected.show(ROOT, since=since, as_json=json, shares=shares)


@verb(help={"import": "import every handler in a cold environment, and show what that costs"})
def check(c: Context, env: str = "local", import_: bool = False) -> None:
    """Build and report every finding."""
    from build.verbs import make

    make.check(ROOT, env, import_handlers=import_)


@verb(help={"json": "one JSON list on stdout", "html": "a treemap in .artifacts/reports/size.html"})
def size(c: Context, function: str = "", env: str = "local", json: bool = False, html: bool = False) -> None:
    """Show what takes the room in each function, its layers included."""
    from build.verbs import look

    look.size(ROOT, env, function, as_json=json, as_html=html)


@verb(positional=["distribution"], help={"json": "one JSON object on stdout"})
def why(c: Context, distribution: str, function: str = "", env: str = "local", json: bool = False) -> None:
    """Show the requirements that bring DISTRIBUTION into a function."""
    from build.verbs import look

    look.why(ROOT, env, distribution, function, as_json=json)


@verb(help={"from": "a git revision or a zip; else the last build", "to": "a zip", "json": "one JSON object on stdout"})
def diff(
    c: Context, *, function: str = "", from_: str = "", to: str = "", env: str = "local", json: bool = False
) -> None:
    """Show what changed between two builds: distributions, files, bytes."""
    from build.verbs import look

    look.diff(ROOT, env, function, old=from_, new=to, as_json=json)


@verb(
    help={
        "python": "version of another Python to build with, such as 3.12",
        "record": "note what was found beside the releases of ENV, for `metrics`",
    }
)
def verify(c: Context, env: str = "local", python: str = "", record: bool = False) -> None:
    """Build everything elsewhere too, and compare every byte."""
    from build.verbs import look

    look.verify(ROOT, env, python, record=record)


@verb(help={"function": "folder name; else every function", "json": "one JSON object on stdout"})
def permissions(c: Context, function: str = "", env: str = "local", json: bool = False) -> None:
    """Compare what code calls through boto3 with what its [[permissions]] grant."""
    from build.verbs import permissions

    permissions.permissions(ROOT, env, function, as_json=json)


# ── deploy ─────────────────────────────────────────────────────────────────────────────────────


@verb(
    help={
        "out": "save the plan as this file, for `deploy --plan`",
        "fail_on": "exit 1 if the verdict is look, or dangerous",
        "json": "the review as one JSON object on stdout",
        "every_stack": "also plan stacks whose inputs did not change",
    }
)
def plan(
    c: Context, env: str = "local", *, out: str = "", fail_on: str = "", json: bool = False, every_stack: bool = False
) -> None:
    """Build, publish, plan, and review what would change."""
    from build.verbs import deploy

    deploy.plan(ROOT, env, out=out, fail_on=fail_on, as_json=json, every_stack=every_stack)


@verb(
    help={
        "json": "one JSON object on stdout",
        "allow_delete": "also delete what nothing brings back: queues, functions, log groups, tables, buckets",
        "plan": "apply exactly the plan that `plan --out` saved as this file",
        "replan": "where the state moved on since, plan again, and go on if the change is the same",
        "every_stack": "also plan stacks whose inputs did not change",
        "resume": "bring the release that was interrupted to its end, as it was recorded; nothing is built",
    }
)
def deploy(
    c: Context,
    env: str = "local",
    *,
    json: bool = False,
    allow_delete: bool = False,
    plan: str = "",
    replan: bool = False,
    every_stack: bool = False,
    resume: bool = False,
) -> None:
    """Plan, apply, roll out and record; on local, show each function's answer."""
    from build.verbs import deploy

    options = {"as_json": json, "allow_delete": allow_delete, "replan": replan, "every_stack": every_stack}
    deploy.deploy(ROOT, env, saved=plan, again=resume, **options)


@verb(name="list", default=True, help={"json": "the ledger's rows as JSON on stdout"})
def releases(c: Context, env: str = "local", json: bool = False) -> None:
    """List what was released, the newest first."""
    from build.verbs import releases

    releases.releases(ROOT, env, as_json=json)


_NAMED = "its number, latest, or how the digest of an artifact begins"


@verb(name="show", positional=["release"], help={"release": _NAMED, "json": "one JSON object on stdout"})
def releases_show(c: Context, release: str, env: str = "local", json: bool = False) -> None:
    """Show all that the ledger tells of RELEASE."""
    from build.verbs import releases

    releases.show(ROOT, env, release, as_json=json)


@verb(name="diff", positional=["old", "new"], help={"old": _NAMED, "new": _NAMED, "json": "one JSON object on stdout"})
def releases_diff(c: Context, old: str, new: str, env: str = "local", json: bool = False) -> None:
    """Show what differs from release OLD to NEW: dependencies, code, configuration."""
    from build.verbs import releases

    releases.diff(ROOT, env, old, new, as_json=json)


@verb(
    help={
        "to": "number of a release; else the newest that ran other versions",
        "only": "functions: NAME[,NAME]",
        "full": "also settings, layers, roles and triggers, through Terraform; nothing is built",
        "allow_delete": "with --full, also delete what nothing brings back",
    }
)
def rollback(
    c: Context, env: str = "local", *, to: str = "", only: str = "", full: bool = False, allow_delete: bool = False
) -> None:
    """Point live aliases back at what a release recorded, in seconds."""
    from build.verbs import releases

    releases.rollback(ROOT, env, to=to, only=only, full=full, allow_delete=allow_delete)


@verb(help={"json": "what was found as JSON on stdout"})
def drift(c: Context, env: str = "local", json: bool = False) -> None:
    """Compare what is there with the newest release and the states; exit 6 if it is otherwise."""
    from build.verbs import upkeep

    upkeep.drift(ROOT, env, as_json=json)


@verb(
    help={
        "keep": "releases that stay, counted from the newest that ended well",
        "apply": "really remove; else it is only shown",
        "json": "every thing, with the reasons why it stays, as JSON on stdout",
    }
)
def gc(c: Context, env: str = "local", keep: int = 10, apply: bool = False, json: bool = False) -> None:
    """Show, or remove, what no release needs any more: versions, layers, images, artifacts, rows."""
    from build.verbs import upkeep

    upkeep.gc(ROOT, env, keep=keep, apply=apply, as_json=json)


@verb(
    help={
        "json": "one JSON object on stdout",
        "html": "a page with plots in .artifacts/<env>/metrics.html",
        "since": "a release: what stages took before it and since",
    }
)
def metrics(c: Context, env: str = "local", *, json: bool = False, html: bool = False, since: str = "") -> None:
    """Show how releasing goes: time to restore, failures, deploys, pins, durations."""
    from build.verbs import metrics

    metrics.metrics(ROOT, env, since=since, as_json=json, as_html=html)


@verb()
def bootstrap(c: Context, env: str = "local") -> None:
    """Give a new account what a deploy expects: buckets, the roles of GitHub's workflows, a boundary."""
    from build.verbs import bootstrap

    bootstrap.bootstrap(ROOT, env)


@verb(help={"yes": "really; needed for every env but local"})
def destroy(c: Context, env: str = "local", yes: bool = False) -> None:
    """Remove everything Terraform made in ENV; artifacts and releases stay."""
    from build.verbs import deploy

    deploy.destroy(ROOT, env, yes=yes)


@verb(name="pull-base", help={"upgrade": "pin what AWS's tags name today"})
def image_pull_base(c: Context, upgrade: bool = False) -> None:
    """Fetch the bases of images into the store, and pin them in base-images.toml."""
    from build.verbs import image

    image.pull_base(ROOT, upgrade=upgrade)


@verb(name="show", positional=["name"], help={"json": "the same as JSON on stdout"})
def image_show(c: Context, name: str, env: str = "local", json: bool = False) -> None:
    """Show an image layer by layer, and what it starts."""
    from build.verbs import image

    image.show(ROOT, env, name, as_json=json)


@verb(
    name="export",
    positional=["name"],
    help={"oci": "a new folder, for an OCI layout", "docker": "a new file, for `docker load`"},
)
def image_export(c: Context, name: str, env: str = "local", oci: str = "", docker: str = "") -> None:
    """Write an image so that container tools read it."""
    from build.verbs import image

    image.export(ROOT, env, name, oci=oci, docker=docker)


# ── run ───────────────────────────────────────────────────────────────────────────────────────


@verb(
    name="invoke",
    optional=["debugger"],
    help={
        "function": "folder name",
        "event": "file, name below events/, - for stdin, or JSON; else the first sample",
        "qualifier": "version or alias",
        "async": "leave the event to Lambda, and do not wait",
        "tail": "all that the request logs, not its last 4 KB; with --async as it comes",
        "profile": "here, cold and hot: where the time goes, in .artifacts/reports/profile-NAME.html",
        "debugger": "here, once a debugger attaches to this port of 127.0.0.1; 5678 unless said",
    },
)
def invoke_function(
    c: Context,
    function: str,
    event: str = "",
    env: str = "local",
    *,
    qualifier: str = "live",
    async_: bool = False,
    tail: bool = False,
    profile: bool = False,
    debugger: str = "",
) -> None:
    """Call a deployed function: the answer on stdout, its log and timings on stderr."""
    from build.verbs import calling

    calling.invoke(ROOT, env, function, event or None, calling.Manner(qualifier, async_, tail, profile, debugger))


@verb(
    positional=["source"],
    help={
        "source": "such as http, sqs, s3; list shows all",
        "function": "fill it as this function's own triggers would",
        "body": "what the event carries: a message, a body, an item",
    },
)
def event(c: Context, source: str, function: str = "", env: str = "local", body: str = "") -> None:
    """Print a realistic sample event of SOURCE as JSON, or with `list` which sources there are."""
    from build.verbs import event

    event.event(ROOT, source, env, function, body or None)


@verb(name="run", help={"function": "folder name", "port": "of 127.0.0.1"})
def run_function(c: Context, function: str, port: int = 9000) -> None:
    """Build a function and serve it as AWS's Runtime Interface Emulator does, until Ctrl-C."""
    from build.verbs import emulate

    emulate.run(ROOT, function, port)


@verb(
    help={
        "function": "folder names: NAME[,NAME]; else every function",
        "since": "how far to look back: minutes, or 90s, 10m, 2h, 3d",
        "follow": "go on until interrupted",
        "grep": "a regular expression: only requests with a line, or an id, that it is found in",
        "errors": "only requests that failed",
        "raw": "line by line, instead of request by request",
    }
)
def logs(
    c: Context,
    function: str = "",
    env: str = "local",
    *,
    since: str = "10m",
    follow: bool = False,
    grep: str = "",
    errors: bool = False,
    raw: bool = False,
) -> None:
    """Show what functions logged, request by request."""
    from build.verbs import logs

    logs.logs(ROOT, env, function, since=since, follow=follow, grep=grep, errors=errors, raw=raw)


@verb(help={"json": "the same as JSON on stdout"})
def status(c: Context, env: str = "local", json: bool = False) -> None:
    """Show what runs in ENV, of which release, and whether it is what the ledger says."""
    from build.verbs import run

    run.status(ROOT, env, as_json=json)


@verb(
    help={
        "function": "folder name; else all are watched",
        "event": "invoke it with this after each change: file, name below events/, or JSON",
        "rerun": "invoke what was changed with its last event, or its first sample",
        "sync": "really; needed for every env but local, which must say `watch = true` in slipway.toml",
    }
)
def watch(
    c: Context, function: str = "", event: str = "", env: str = "local", rerun: bool = False, *, sync: bool = False
) -> None:
    """Have what is saved run in ENV at once, in place of what is deployed, until Ctrl-C."""
    from build.verbs import watch

    watch.watch(ROOT, env, function=function, event=event, rerun=rerun, sync=sync)


@verb()
def start(c: Context) -> None:
    """Deploy to the embedded cloud, watch, and show what functions log, until Ctrl-C."""
    from build.verbs import watch

    watch.start(ROOT)


# ── the embedded cloud ────────────────────────────────────────────────────────────────────────


@verb(name="start", help={"persist": "keep what it holds between restarts, from now on"})
def local_start(c: Context, persist: bool = False) -> None:
    """Start the embedded cloud."""
    from build.verbs import care

    care.local_start(ROOT, persist=persist)


@verb(name="stop", help={"discard": "also throw away what `local.start --persist` keeps"})
def local_stop(c: Context, discard: bool = False) -> None:
    """End the embedded cloud, and what it holds with it unless that is kept."""
    from build.verbs import care

    care.local_stop(ROOT, discard=discard)


@verb(name="status", help={"json": "endpoint, pid and log as JSON"})
def local_status(c: Context, json: bool = False) -> None:
    """Tell whether the embedded cloud runs, and where."""
    from build.verbs import care

    care.local_status(ROOT, as_json=json)


@verb(name="clock", help={"advance": "by 90s, 90m, 2h or 3d: what is due in between fires", "json": "the same as JSON"})
def local_clock(c: Context, advance: str = "", json: bool = False) -> None:
    """Show the embedded cloud's clock and when schedules fire next, or advance it."""
    from build.verbs import clock

    clock.show(ROOT, by=advance, as_json=json)


# ── look after ────────────────────────────────────────────────────────────────────────────────


@verb(name="show", help={"json": "one JSON object on stdout"})
def store_show(c: Context, json: bool = False) -> None:
    """Show what the store holds: how many of what, how large, how old."""
    from build.verbs import store

    store.show(ROOT, as_json=json)


@verb(name="verify")
def store_verify(c: Context) -> None:
    """Look at every byte of the store; remove what is damaged."""
    from build.verbs import store

    store.verify(ROOT)


@verb(name="prune", help={"keep_days": "nothing younger goes", "dry_run": "only show what would go"})
def store_prune(c: Context, keep_days: int = 30, dry_run: bool = False) -> None:
    """Show and remove what the store holds and nothing needs any more."""
    from build.verbs import store

    store.prune(ROOT, keep_days=keep_days, dry_run=dry_run)


# ── for the workflows ─────────────────────────────────────────────────────────────────────────


@verb(name="comment", positional=["reviews"])
def github_comment(c: Context, reviews: str) -> None:
    """Put every */review.md below REVIEWS on the pull request, as one comment that is updated."""
    from build.verbs import github

    github.comment(Path(reviews))


@verb(name="issue", positional=["found"], help={"looked": "how the looking ended: success closes the issue"})
def github_issue(c: Context, found: str, looked: str = "") -> None:
    """Open or update the one issue about drift with every */drift.md below FOUND, or close it."""
    from build.verbs import github

    github.issue(Path(found), looked)


@verb(name="summary", positional=["file"])
def github_summary(c: Context, file: str) -> None:
    """Add FILE, which is Markdown, to the summary of the run."""
    from build.verbs import github

    github.summary(Path(file))


@verb(name="matrix", help={"since": "a git revision: also what to build of what changed", "shares": "jobs at most"})
def github_matrix(c: Context, since: str = "", shares: int = 8) -> None:
    """Tell the run which envs there are, and which jobs build what changed."""
    from build.verbs import github

    github.matrix(ROOT, since=since, shares=shares)


@verb(name="commit", help={"ref": "commit, tag or branch"})
def github_commit(c: Context, ref: str) -> None:
    """Tell the run which commit REF is, if it is merged to what is checked out."""
    from build.verbs import github

    github.commit(ROOT, ref)


@verb(name="private")
def github_private(c: Context) -> None:
    """Fail if everybody could read a plan that the run keeps."""
    from build.verbs import github

    github.private()


@verb(name="required", help={"may_skip": "with commas: jobs that may have been skipped"})
def github_required(c: Context, may_skip: str = "") -> None:
    """Fail unless every job that NEEDS holds ended well."""
    from build.verbs import github

    github.required(may_skip)


@verb()
def doctor(c: Context) -> None:
    """Report what this machine has: interpreters, Terraform, mirrors, the embedded cloud."""
    from build.verbs import care

    care.doctor(ROOT)


@verb(
    help={
        "quick": "the ratios, within five minutes",
        "only": "workloads, with commas: pure, data, web, arm64, large, monorepo, scale",
        "peers": "with commas: pip, uv, sam, chalice, zappa, pex; or none",
        "publish": "write docs/benchmarks/, too",
    }
)
def bench(c: Context, quick: bool = False, only: str = "", peers: str = "", publish: bool = False) -> None:
    """Race Slipway against its peers, and show where it wins and where it loses."""
    from benchmarks import bench

    bench.bench(ROOT, quick=quick, only=only, peers=peers, publish=publish)


@verb(name="test", help={"quick": "only the unit tests, without lint and types", "path": "a file or folder"})
def run_tests(c: Context, quick: bool = False, path: str = "") -> None:
    """Lint, check types, and run every test."""
    if not (quick or path):
        lint(c)
        types(c)
    # A file stays on one worker: its servers and checkouts are made once. Unit tests have none, and wait for nothing;
    # many of the others do, for Terraform's provider, so that there is work for one worker more than there are cores.
    # Not reordered, or stories of few tests that take minutes would begin last, with nothing left to run beside them.
    every = f"-n {(os.cpu_count() or 1) + 1} --dist loadfile --no-loadscope-reorder {path}"
    chosen = '-n auto --dist worksteal tests/unit -m "not slow"' if quick else every
    with c.cd(str(ROOT)):
        c.run(f'"{sys.executable}" -m pytest {chosen}', pty=sys.stdout.isatty())


@verb()
def lint(c: Context, fix: bool = False) -> None:
    """Lint Python and check its format; check the workflows."""
    with c.cd(str(ROOT)):
        c.run(f'"{sys.executable}" -m ruff check {"--fix" if fix else ""} .')
        c.run(f'"{sys.executable}" -m ruff format --check .')
        c.run(f'"{Path(sys.executable).parent / "zizmor"}" --offline --quiet .github')


@verb(name="lock")
def lock_own(c: Context, upgrade: bool = False) -> None:
    """Pin Slipway's own requirements.in and checkov, for every platform and with hashes."""
    uv = Path(sys.executable).parent / "uv"
    for lock in ("requirements", "terraform/checkov"):
        with c.cd(str(ROOT)):
            c.run(
                f'"{uv}" pip compile {lock}.in --output-file {lock}.txt --universal --generate-hashes --quiet '
                f'--python-version 3.11 --custom-compile-command "invoke dev.lock" {"--upgrade" if upgrade else ""}'
            )


@verb()
def types(c: Context) -> None:
    """Check types strictly."""
    with c.cd(str(ROOT)):
        c.run(f'"{sys.executable}" -m mypy')


@verb(name="format")
def format_code(c: Context) -> None:
    """Format Python and Terraform."""
    from build.verbs import care

    with c.cd(str(ROOT)):
        c.run(f'"{sys.executable}" -m ruff check --fix-only --quiet .')
        c.run(f'"{sys.executable}" -m ruff format .')
        c.run(f'"{care.terraform(ROOT)}" fmt -recursive terraform')


@verb()
def schema(c: Context) -> None:
    """Write the JSON Schemas of the settings files."""
    from build.project.schema import write

    for path in write(ROOT):
        print(path.relative_to(ROOT))


@verb()
def tf(c: Context) -> None:
    """Check Terraform: format, validity, checkov, and every module's own tests."""
    with c.cd(str(ROOT)):
        c.run(f'"{sys.executable}" -m pytest tests/terraform')


namespace = Collection(
    *(new, lock, build_artifacts, affected, check, size, why, diff, verify, permissions),
    *(plan, deploy, destroy, bootstrap),
    *(rollback, drift, gc, metrics),
    *(invoke_function, event, run_function, watch, start, logs, status),
    *(doctor, bench, run_tests),
    local=Collection(local_start, local_stop, local_status, local_clock),
    releases=Collection(releases, releases_show, releases_diff),
    image=Collection(image_pull_base, image_show, image_export),
    store=Collection(store_show, store_verify, store_prune),
    github=Collection(
        *(github_comment, github_issue, github_summary, github_matrix, github_commit, github_private, github_required)
    ),
    dev=Collection(lint, lock_own, types, format_code, schema, tf),
)
