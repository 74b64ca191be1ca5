"""Deploys through everything that goes wrong between them and AWS, and what the next command makes of it.

What is seen is held against the table of docs/reference/faults.md. Where another outcome is meant, write it anew:
SLIPWAY_WRITE_GOLDEN=1 invoke test --path tests/integration/test_faults.py
"""

import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from build.release.lease import leased
from build.release.ledger import Ledger
from build.release.rows import FINISHED
from tests import faults
from tests.checkout import ROOT, Checkout, make_checkout
from tests.faults import Effect, Faults, Rule, after, before, during, from_now_on, held, lost, refused, reset, stale

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

PAGE = ROOT / "docs/reference/faults.md"
ACCOUNT = "123456789012"
ARTIFACTS, STATES = f"slipway-local-artifacts-{ACCOUNT}-us-east-1", f"slipway-local-terraform-state-{ACCOUNT}"
LOCK = {"Bucket": STATES, "Key": "slipway/local.tfstate.tflock"}
LEASE = "releases/lease.json"
NAMES = ("greeting", "orders")
NEXT = {False: "`deploy`", True: "`deploy`, which frees the lock"}
"""What is next, by whether the state is locked."""
KILLS = int(os.environ.get("SLIPWAY_KILLS", "1"))


@dataclass(frozen=True, slots=True)
class Stage:
    """The requests of one kind, the first ``skip`` of which are of an earlier stage."""

    what: str
    ours: bool = True
    skip: int = 0


GET_FUNCTION = r"^lambda GET /[^/]*/functions/[\w-]+$"
STAGES = {
    "take the lease": Stage(rf"^s3 PUT .*/{LEASE}$"),
    "look for an artifact": Stage(r"^s3 HEAD .*/functions/"),
    "put an artifact": Stage(r"^s3 PUT .*/functions/"),
    "lock the state": Stage(r"^s3 PUT .*\.tflock", ours=False),
    "read the state": Stage(r"^s3 GET .*\.tfstate\?", ours=False),
    "read a function": Stage(GET_FUNCTION, ours=False),
    "read the ledger": Stage(r"^s3 GET .*/releases/\d"),
    "begin the release": Stage(r"^s3 PUT .*/releases/\d+/started\.json$"),
    "record the stack": Stage(r"^s3 PUT .*/stacks/"),
    "update code": Stage(r"^lambda PUT .*/code$", ours=False),
    "see it updated": Stage(GET_FUNCTION, ours=False, skip=len(NAMES)),
    "publish a version": Stage(r"^lambda POST .*/versions$", ours=False),
    "write the state": Stage(r"^s3 PUT .*\.tfstate\?", ours=False),
    "unlock the state": Stage(r"^s3 DELETE .*\.tflock", ours=False),
    "ask for the version": Stage(r"^lambda POST .*/versions$"),
    "see it ready": Stage(r"^lambda GET .*/configuration\?"),
    "read an alias": Stage(r"^lambda GET .*/aliases/live$", skip=len(NAMES)),
    "move an alias": Stage(r"^lambda PUT .*/aliases/live$"),
    "end the release": Stage(r"^s3 PUT .*/releases/\d+/ended\.json$"),
}
PASSING: dict[str, Effect] = {
    "throttled": refused("throttled"),
    "AWS fails": refused("failed"),
    "reset": reset,
    "held up": held(1.0),
    "answer lost": lost,
    "stale": stale,
    "unknown": refused("missing"),
}
LASTING: dict[str, Effect] = {"refused": refused("denied"), "token expired": from_now_on(refused("expired"))}
COLUMNS = (*PASSING, *LASTING, "somebody else's", "killed", "machine dies")


# ── the page ──────────────────────────────────────────────────────────────────────────────────


def cells() -> dict[tuple[str, str], str]:
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    table = [row for row in rows if row[0] in STAGES]
    return {(row[0], column): cell for row in table for column, cell in zip(COLUMNS, row[1:], strict=True)}


def saw(stage: str, column: str, outcome: str) -> None:
    """Hold what became of a fault against the page."""
    if os.environ.get("SLIPWAY_WRITE_GOLDEN"):
        write({**cells(), (stage, column): outcome})
    told = cells()[stage, column]
    assert told == outcome, f"{stage}, {column}: the page says `{told}`, and `{outcome}` is what happened"


def write(known: dict[tuple[str, str], str]) -> None:
    text = PAGE.read_text("utf-8")
    rows = [("stage", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
    rows += [(stage, *(known.get((stage, column), "") for column in COLUMNS)) for stage in STAGES]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    PAGE.write_text(re.sub(r"(?m)(^\|.*\|$\n?)+", f"{table}\n", text, count=1), "utf-8")


# ── an env that is reached through the layer ──────────────────────────────────────────────────


@dataclass(slots=True)
class Env:
    """Two functions on an embedded cloud, and the layer before it."""

    checkout: Checkout
    faults: Faults
    cloud: str
    """Endpoint of the cloud itself."""
    names: list[str] = field(default_factory=lambda: list(NAMES))
    number: int = 0
    """What the functions of the checkout answer."""
    finished: int = 0
    """What they answered when a deploy went through last."""
    rows: dict[str, bytes] = field(default_factory=dict)
    """What the ledger held when it was looked at last, by key."""

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.cloud,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def change(self) -> None:
        """Let every function answer something new."""
        self.number += 1
        for name in self.names:
            self.checkout.write(
                f"functions/{name}/src/app.py", f"def handler(event, context):\n    return {self.number}\n"
            )
            self.checkout.write(f"functions/{name}/function.toml", 'description = "Answers"\n')
            self.checkout.write(f"functions/{name}/requirements.txt", "")

    def on(self, stage: str, column: str, effect: Effect | None = None) -> Rule:
        """Let what ``column`` stands for happen at ``stage``: once, or until it is mended."""
        at = STAGES[stage]
        times = math.inf if column in LASTING else 1
        effect = effect or {**PASSING, **LASTING}[column]
        return self.faults.on(at.what, effect, ours=at.ours, skip=at.skip, times=times)

    def deploy(self) -> "subprocess.CompletedProcess[str]":
        return self.checkout.run("deploy", code=None)

    def finish(self) -> float:
        """Deploy without any fault, which succeeds, and say how many seconds it took."""
        self.faults.clear()
        began = time.monotonic()
        self.checkout.run("deploy")
        took_s = time.monotonic() - began
        self.require_settled()
        return took_s

    def require_settled(self) -> None:
        """Callers get what the checkout holds, the ledger says so, and nothing stops the next deploy."""
        self.finished = self.number
        self.require_whole()
        newest = self.ledger.newest()
        assert newest
        assert (newest.outcome, newest.live) == (FINISHED, self.live())
        assert not self.is_locked(), "the state is locked"
        assert json.loads(self.get(LEASE))["free"], "the lease was not given back"

    def require_whole(self) -> None:
        """Nothing that was released is lost, and nothing leads nowhere: aliases, rows, artifacts."""
        functions, s3 = self.client("lambda"), self.client("s3")
        for name, version in self.live().items():
            there = functions.get_function_configuration(FunctionName=f"slipway-local-{name}", Qualifier=version)
            assert there["Version"] == version
            payload = functions.invoke(FunctionName=f"slipway-local-{name}:live", Payload=b"{}")["Payload"].read()
            assert self.finished <= int(payload) <= self.number
        keys = {each["Key"] for each in s3.list_objects_v2(Bucket=ARTIFACTS)["Contents"]}
        rows = {key: self.get(key) for key in keys if key.startswith("releases/") and key != LEASE}
        assert self.rows.items() <= rows.items(), "a row is gone, or says something else"
        self.rows = rows
        assert {each.key for row in self.ledger.rows() for each in row.artifacts.values()} <= keys

    @property
    def ledger(self) -> Ledger:
        return Ledger(s3=self.client("s3"), bucket=ARTIFACTS, owner=ACCOUNT)

    def live(self) -> dict[str, str]:
        functions = self.client("lambda")
        aliases = {name: functions.get_alias(FunctionName=f"slipway-local-{name}", Name="live") for name in self.names}
        assert not any(each.get("RoutingConfig", {}).get("AdditionalVersionWeights") for each in aliases.values())
        return {name: each["FunctionVersion"] for name, each in aliases.items()}

    def get(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=ARTIFACTS, Key=key)["Body"].read()
        return body

    def is_locked(self) -> bool:
        found = self.client("s3").list_objects_v2(Bucket=STATES, Prefix=LOCK["Key"])
        return bool(found["KeyCount"])


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("local.start")
    cloud = checkout.json("local.status")["endpoint"]
    try:
        with faults.between(checkout.root) as layer:
            env = Env(checkout, layer, cloud)
            env.change()
            env.finish()
            yield env
    finally:
        checkout.close()


# ── what passes, what lasts, what is somebody else's ──────────────────────────────────────────

CLASHING = ("lock the state", "answer lost")
"""Terraform's second try clashes with what its first one did."""
SEEN = [(stage, "stale") for stage in ("see it updated", "read a function")] + [("see it updated", "unknown")]
UP_TO_THE_APPLY = [
    ("take the lease", "refused"),
    ("put an artifact", "refused"),
    ("put an artifact", "token expired"),
    ("read the state", "refused"),
    ("read a function", "token expired"),
    ("begin the release", "refused"),
    ("update code", "token expired"),
]
FROM_THE_APPLY_ON = [
    ("publish a version", "refused"),
    ("see it ready", "unknown"),
    ("read an alias", "stale"),
    ("move an alias", "refused"),
    ("move an alias", "token expired"),
    ("end the release", "refused"),
    ("end the release", "token expired"),
]


@pytest.mark.parametrize(
    "together", [("throttled", "AWS fails"), ("reset", "held up"), ("answer lost", "stale", "unknown")]
)
def test_what_passes_is_asked_again_by_the_same_deploy(env: Env, together: tuple[str, ...]):
    env.change()
    env.faults.clear()
    every = [(stage, column) for stage in STAGES for column in together if (stage, column) != CLASHING]
    every = [each for each in every if each[1] not in {"stale", "unknown"} or each in SEEN]
    rules = {each: env.on(*each) for each in every}
    done = env.deploy()
    assert done.returncode == 0, done.stderr
    assert [each for each, rule in rules.items() if not rule.struck] == []
    env.require_settled()
    for each in every:
        saw(*each, "goes on")


def test_a_lock_whose_answer_was_lost_is_freed_by_the_same_deploy(env: Env):
    env.change()
    env.faults.clear()
    rule = env.on(*CLASHING)
    done = env.deploy()
    assert done.returncode == 0, done.stderr
    assert rule.struck
    assert "freeing the state" in done.stderr
    env.require_settled()
    saw(*CLASHING, "frees the lock")


CODE = [("update code", "refused")]
"""Terraform's state has the new code all the same, so that its next plan is empty."""


@pytest.mark.parametrize("faults", [UP_TO_THE_APPLY, CODE, FROM_THE_APPLY_ON], ids=["up to the apply", "code", "then"])
def test_what_ends_a_deploy_is_made_up_for_by_the_next(env: Env, faults: list[tuple[str, str]]):
    """Each gets as far as the one before, and further; the last finishes."""
    env.change()
    for each in faults:
        ends(env, *each)
    env.finish()


def test_what_somebody_else_works_on_is_left_to_them(env: Env):
    env.change()
    env.faults.clear()
    lock = {"ID": "f00d", "Operation": "OperationTypeApply", "Who": "ada@ship", "Created": "2026-01-31T12:00:00Z"}
    env.client("s3").put_object(**LOCK, Body=json.dumps({**lock, "Path": "", "Version": "1.0.0", "Info": ""}))
    done = env.deploy()
    assert "the state of local is locked by ada@ship" in done.stderr
    assert "wait for its end" in done.stderr
    env.client("s3").delete_object(**LOCK)
    saw("lock the state", "somebody else's", f"exit {done.returncode}; `deploy`")
    place = {"Bucket": ARTIFACTS, "ExpectedBucketOwner": ACCOUNT}
    with leased(env.client("s3"), place, env="local", verb="rollback", arn="ada", say=tell, lease_s=4.0):
        done = env.deploy()
    assert "another run is at work on env local" in done.stderr
    assert "`rollback` since" in done.stderr
    saw("take the lease", "somebody else's", f"exit {done.returncode}; `deploy`")
    env.finish()


def ends(env: Env, stage: str, column: str) -> None:
    """Deploy through a fault that ends it, and note how; what then is in the way of the next deploy is removed."""
    env.faults.clear()
    rule = env.on(stage, column)
    done = env.deploy()
    assert rule.struck, f"{stage} was never asked for\n{done.stderr}"
    error, _, hint = done.stderr.partition("error: ")[2].partition("\nhint: ")
    tell(f"{stage}, {column}: exit {done.returncode}\n  {error}\n  hint: {hint}")
    assert done.returncode in {4, 5}, done.stderr
    assert "invoke" in hint or "again" in hint, done.stderr
    env.require_whole()
    saw(stage, column, f"exit {done.returncode}; {NEXT[env.is_locked()]}")


# ── kill -9 ───────────────────────────────────────────────────────────────────────────────────


def test_a_deploy_killed_at_any_boundary_is_made_up_for_by_the_next(env: Env):
    env.change()
    killed(env, "take the lease", after)
    killed(env, "put an artifact", before)
    killed(env, "begin the release", after)
    killed(env, "record the stack", after)
    killed(env, "update code", during)
    killed(env, "ask for the version", after)
    killed(env, "move an alias", before)
    killed(env, "move an alias", after)
    killed(env, "end the release", before)
    killed(env, "end the release", after)
    env.finish()


def test_a_machine_that_dies_at_any_boundary_is_made_up_for_by_the_next_deploy(env: Env):
    env.change()
    killed(env, "lock the state", after, machine=True)
    killed(env, "publish a version", before, machine=True)
    killed(env, "move an alias", after, machine=True)
    env.finish()


def test_a_deploy_killed_at_any_moment_is_made_up_for_by_the_next(env: Env):
    seed = random.randrange(1 << 32)
    tell(f"seed {seed}")
    chance = random.Random(seed)
    env.change()
    whole_s = env.finish()
    for each in range(KILLS):
        env.change()
        env.faults.clear()
        moment_s = (each + chance.random()) * whole_s / KILLS
        machine = bool(each % 2)
        process = begin(env)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment_s)
        kill(process.pid, machine=machine)
        process.communicate()
        tell(f"{'machine' if machine else 'process'} after {moment_s:.1f} s, at {env.faults.seen[-1:]}")
        env.require_whole()
        env.finish()


# It leaves a function more.
def test_what_was_made_before_its_state_could_be_written_is_not_made_twice(env: Env):
    env.names.append("later")
    env.change()
    ends(env, "write the state", "token expired")
    env.finish()


def killed(env: Env, stage: str, when: Callable[[Callable[[], object]], Effect], *, machine: bool = False) -> None:
    """Kill a deploy at a request; with ``machine`` its Terraform as well, which goes on otherwise."""
    env.faults.clear()
    processes: list[subprocess.Popen[str]] = []
    column = "machine dies" if machine else "killed"
    rule = env.on(stage, column, when(lambda: kill(processes[0].pid, machine=machine)))
    processes.append(begin(env))
    _, said = processes[0].communicate(timeout=300)
    assert rule.struck, said
    assert processes[0].returncode == -signal.SIGKILL
    env.require_whole()
    saw(stage, column, NEXT[machine and env.is_locked()])


def tell(text: str) -> None:
    """Say it where pytest shows it if the test fails."""
    sys.stderr.write(f"{text}\n")


def begin(env: Env) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy"],
        cwd=env.checkout.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill(pid: int, *, machine: bool) -> None:
    """Kill a process, with ``machine`` everything that it started, too."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    victims = [pid]
    for victim in victims:
        victims += [child for child, parent in parents if parent == victim] if machine else []
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
