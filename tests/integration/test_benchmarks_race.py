"""How the benchmark runs its entrants, with small shell scripts for entrants."""

import os
import shutil
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from benchmarks import bench as bench_module
from benchmarks.bench import bench
from benchmarks.entrants import Peer, Site
from benchmarks.environments import installed
from benchmarks.measure import Command, RunFailedError, measured
from benchmarks.peers import PEERS
from benchmarks.race import FULL, QUICK, Clock, Contest, Depth, bytecode_of, digest_of
from benchmarks.results import State
from benchmarks.slipway import Slipway
from benchmarks.targets import DATA, REPOSITORY
from benchmarks.workloads import LOCKS, WORKLOADS, Function, Workload
from build.errors import InputError
from build.locking.requirements import parse_lock, parse_wanted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="the benchmark starts sh"),
]

ONE = Workload(name="one", title="one function", functions=(Function(name="f", wants=""),))
DEPTH = Depth(name="tiny", workloads=(), peers=(), rounds=2, enough_s=30, timeout_s=30, scales=())


@pytest.fixture(autouse=True)
def unsettled(monkeypatch):
    """The disk of whoever runs these tests has other work: waiting for it is for real benchmarks."""
    monkeypatch.setattr("benchmarks.race.settle", lambda: None)


@dataclass
class Script:
    """An entrant that runs ``script`` and makes the bytes that ``bytes_of`` says."""

    key: str
    diary: list[str] = field(default_factory=list)
    script: str = "true"
    bytes_of: str = "same"
    reason: str = ""

    title = property(lambda self: self.key.title())

    def refuses(self, workload):
        return self.reason

    def lay_out(self, site: Site):
        site.folder.mkdir(parents=True)

    def forget(self, site: Site):
        shutil.rmtree(site.folder, ignore_errors=True)
        self.lay_out(site)

    def edit(self, site: Site, count):
        self.diary.append(f"{self.key} edited to {count}")

    def command(self, site: Site, state: State):
        self.diary.append(f"{self.key} {state}")
        return Command(argv=["sh", "-c", self.script], cwd=site.folder, env=dict(os.environ))

    def zips(self, site: Site):
        path = site.folder / "out.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), self.bytes_of.format(folder=site.folder))
        return {"f": path}


def contest(tmp_path, *entrants, depth=DEPTH, limit_s=60.0, say=lambda _: None):
    made = Contest(ONE, list(entrants), place=tmp_path, depth=depth, clock=Clock(limit_s), say=say)
    for entrant in entrants:
        (tmp_path / entrant.key).mkdir()
    made.run()
    return made


def command(*argv, cwd):
    return Command(argv=argv, cwd=cwd, env=dict(os.environ))


def run(tmp_path, script, timeout_s=20.0):
    return measured(command("sh", "-c", script, cwd=tmp_path), timeout_s=timeout_s, log=tmp_path / "log")


def test_entrants_run_in_turns(tmp_path):
    diary: list[str] = []
    contest(tmp_path, Script("a", diary), Script("b", diary))
    warm = [line for line in diary if line.endswith("warm")]
    assert warm == ["a warm", "b warm", "a warm", "b warm"]
    assert diary[-4:] == ["a edited to 2", "a one line changed", "b edited to 2", "b one line changed"]


def test_builds_in_two_folders_are_compared(tmp_path):
    found = contest(tmp_path, Script("a"), Script("b", bytes_of="{folder}")).products
    assert [(product.entrant, product.identical) for product in found] == [("a", True), ("b", False)]


def test_who_fails_is_told_with_the_reason_and_stops_nobody_else(tmp_path):
    said: list[str] = []
    races = contest(tmp_path, Script("a", script="echo wrong; exit 3"), Script("b"), say=said.append).races
    by_key = {(race.entrant, race.state): race for race in races}
    assert {race.refused for key, race in by_key.items() if key[0] == "a"} == {"ended with exit code 3"}
    assert all(race.samples for key, race in by_key.items() if key[0] == "b")
    assert any("wrong" in line for line in said)


def test_who_cannot_take_part_is_not_run(tmp_path):
    diary: list[str] = []
    races = contest(tmp_path, Script("a", diary, reason="knows no arm64"), Script("b")).races
    assert {race.refused for race in races if race.entrant == "a"} == {"knows no arm64"}
    assert not diary


def test_what_no_time_is_left_for_is_told(tmp_path):
    races = contest(tmp_path, Script("a", script="sleep 0.2"), limit_s=0.5).races
    left = [race.refused for race in races if not race.samples]
    assert left
    assert set(left) == {"no time was left for it in --tiny"}


def test_a_run_is_measured_with_all_it_starts(tmp_path):
    busy = f"'{sys.executable}' -c 'import time; data = bytearray(60 << 20)\nwhile time.process_time() < 0.2: pass'"
    sample = run(tmp_path, busy)
    assert sample.cpu_s >= 0.2
    assert sample.wall_s >= 0.2
    assert 60 << 20 < sample.peak_bytes < 120 << 20


def test_our_own_memory_does_not_hide_a_small_program(tmp_path):
    ballast = bytearray(100 << 20)
    assert run(tmp_path, "true").peak_bytes < 40 << 20
    assert ballast


def test_a_run_that_takes_too_long_is_ended_with_all_it_started(tmp_path):
    with pytest.raises(RunFailedError, match="was stopped after 0 s"):
        run(tmp_path, "sleep 30 & echo $! > pid; wait", timeout_s=0.3)
    pid = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_what_a_failed_program_said_is_kept_apart_from_the_reason(tmp_path):
    with pytest.raises(RunFailedError) as caught:
        run(tmp_path, "echo in /a/folder; exit 9")
    assert str(caught.value) == "ended with exit code 9"
    assert caught.value.tail == "in /a/folder"


def test_a_program_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(RunFailedError, match="could not be started"):
        measured(command("no-such-program", cwd=tmp_path), timeout_s=5, log=tmp_path / "log")


@pytest.mark.parametrize(("flags", "kind"), [(0, "dated"), (1, "unchecked"), (3, "checked")])
def test_the_kind_of_bytecode_is_read_from_its_header(tmp_path, flags, kind):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "")
        archive.writestr("__pycache__/app.cpython-313.pyc", b"\0\0\r\n" + flags.to_bytes(4, "little") + bytes(8))
    assert bytecode_of(path) == kind


def test_a_stray_pyc_is_no_bytecode(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(9):
            archive.writestr(f"m{number}.py", "")
        archive.writestr("__pycache__/m0.cpython-313.pyc", bytes(16))
    assert bytecode_of(path) == "none"


def test_the_digest_is_of_names_and_bytes(tmp_path):
    one, other = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"x")
    other.write_bytes(b"y")
    assert digest_of({"a": one, "b": other}) == digest_of({"b": other, "a": one})
    assert digest_of({"a": one, "b": other}) != digest_of({"a": other, "b": one})


def test_a_warm_slipway_keeps_wheels_and_forgets_artifacts(tmp_path):
    site = Site(folder=tmp_path, caches=tmp_path / "caches", workload=ONE)
    store = tmp_path / ".artifacts/store"
    kept = ["wheels/ab/x.whl", "bytecode/cd.zip", "notes/wheel/1.json"]
    gone = ["artifacts/ef.zip", "notes/archive/2.json", "tmp/x"]
    for name in [*kept, *gone, "../outcome.json"]:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text("")
    Slipway(root=tmp_path).forget(site)
    left = {path.relative_to(store).as_posix() for path in (tmp_path / ".artifacts").rglob("*") if path.is_file()}
    assert left == set(kept)


def test_a_warm_build_that_would_find_its_artifact_is_refused(tmp_path):
    site = Site(folder=tmp_path, caches=tmp_path / "caches", workload=ONE)
    for name in ("artifacts/ef.zip", "bytecode/ef.zip"):
        path = tmp_path / ".artifacts/store" / name
        path.parent.mkdir(parents=True)
        path.write_text("")
    with pytest.raises(RunFailedError, match="1 finished artifacts are left"):
        Slipway(root=tmp_path).forget(site)


def test_a_peer_that_lacks_a_program_says_which(tmp_path):
    peer = Peer(key="x", name="X", pins=("x==1",), script="true", programs=("no-such-program",))
    with pytest.raises(RunFailedError, match="needs no-such-program"):
        installed(peer, set(), tmp_path)


@pytest.mark.parametrize("name", sorted(path.stem for path in LOCKS.glob("*.in")))
def test_every_lock_pins_what_is_wanted_with_hashes(name):
    pins = {pin.name: pin for pin in parse_lock((LOCKS / f"{name}.txt").read_text("utf-8")).pins}
    assert all(pin.sha256s for pin in pins.values())
    wanted = parse_wanted((LOCKS / f"{name}.in").read_text("utf-8"))
    assert not wanted.problems
    assert all(wish.specifier.contains(pins[canonicalize_name(wish.name)].version) for wish in wanted.requirements)


def test_what_the_promises_speak_of_is_measured_in_every_depth():
    for depth in (QUICK, FULL):
        assert {DATA, REPOSITORY} <= set(depth.workloads) <= set(WORKLOADS)
        assert {"uv", "sam"} <= set(depth.peers) <= set(PEERS)
    assert len(WORKLOADS[REPOSITORY].functions) == 30


@pytest.mark.parametrize(("only", "peers"), [("nonsense", ""), ("", "nonsense")])
def test_a_name_that_does_not_exist_is_told_before_anything_runs(tmp_path, only, peers):
    with pytest.raises(InputError, match=r"no such (workload|peer)"):
        bench(tmp_path, quick=True, only=only, peers=peers, publish=False)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_benchmark_leaves_no_results(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench_module, "_raced", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench(tmp_path, quick=True, only="pure", peers="none", publish=True)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
