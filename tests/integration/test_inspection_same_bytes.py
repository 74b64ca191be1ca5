"""The same checkout gives the same bytes: elsewhere, as somebody else, at another time, by another Python."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from build.errors import ToolError
from build.inspection.verify import python_for
from build.model import Runtime
from build.project.interpreters import interpreter_of
from build.store.objects import untouched
from tests.builders import lock_line, make_wheel
from tests.checkout import ROOT, Checkout, make_checkout
from tests.sources import make_sdist, write_project

pytestmark = pytest.mark.slow

HANDLER = (
    "import teapot\n\ndef handler(event, context):\n    return {1, 'a', 'b', 'c', frozenset('abc')} and teapot.POT\n"
)


def write_shop(checkout, index):
    """Give the checkout a function, a layer of two runtimes, and wheels with modules."""
    teapot = make_wheel(index, "teapot", files={"teapot/__init__.py": "POT = {'b', 'a'}\n", "teapot/z.json": "{}"})
    spoon = make_wheel(index, "spoon", files={"spoon.py": "SIZES = frozenset({'small', 'large'})\n"})
    checkout.write("functions/pour/function.toml", 'description = "Pours"\nlayers = ["rack"]\n')
    checkout.write("functions/pour/requirements.txt", lock_line(teapot))
    checkout.write("functions/pour/src/app.py", HANDLER)
    for name in ("b", "a", "C"):
        checkout.write(f"functions/pour/src/data/{name}/{name}.txt", name * 50)
    checkout.write("functions/pour/src/run.sh", "#!/bin/sh\n").chmod(0o755)
    runtimes = 'runtimes = ["python3.11", "python3.13"]\narchitectures = ["x86_64", "arm64"]\n'
    checkout.write("layers/rack/layer.toml", f'description = "Rack"\n{runtimes}')
    checkout.write("layers/rack/requirements.txt", lock_line(spoon))
    checkout.write("layers/rack/src/rack.py", "SHELVES = {'x', 'y'}\n")


PROBE = """

_build_workspace = build_workspace


def build_workspace(workspace, *args, **kwargs):
    import json, os, time

    umask = os.umask(0)
    os.umask(umask)
    store, names = workspace.generated / "store", workspace.root / "functions/pour/src/names"
    status = (names / "m").stat()
    facts = {
        "folder": str(workspace.root),
        "process": os.getpid(),
        "umask": umask,
        "time zone": time.strftime("%z", time.localtime(0)),
        "locale": os.environ["LC_ALL"],
        "hash": hash("slipway"),
        "date": status.st_mtime // 86400,
        "mode": status.st_mode,
        "store": sorted(path.name for path in store.iterdir() if path.is_dir() and path.name != "tmp"),
        "listdir": os.listdir(names),
        "scandir": [entry.name for entry in os.scandir(names)],
    }
    with open(FACTS, "a") as stream:
        stream.write(json.dumps(facts) + "\\n")
    return _build_workspace(workspace, *args, **kwargs)
"""
"""Behind build/packaging/assemble.py of a checkout: tells what is around every build."""


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    return tmp_path_factory.mktemp("index")


@pytest.fixture(scope="module")
def offline(index):
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}


@pytest.fixture(scope="module")
def shop(tmp_path_factory, index, offline):
    checkout = Checkout(make_checkout(tmp_path_factory.mktemp("shop")).root, offline)
    write_shop(checkout, index)
    return checkout


def digests(said):
    return {row["name"]: row["digest"] for row in (*said["functions"], *said["layers"])}


@pytest.fixture(scope="module")
def expected(shop):
    return digests(shop.json("build"))


@pytest.fixture
def another(tmp_path, shop):
    """The same checkout in another folder, with a store of its own."""
    ignored = shutil.ignore_patterns(".artifacts", "__pycache__")
    return Checkout(shutil.copytree(shop.root, tmp_path / "other place", ignore=ignored), shop.environ)


def test_another_folder_gives_the_same_bytes(another, expected):
    assert digests(another.json("build")) == expected


@pytest.mark.parametrize(
    "environ",
    [
        {"TZ": "Pacific/Chatham"},
        {"LC_ALL": "C", "LANG": "C"},
        {"PYTHONHASHSEED": "4242"},
        {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "1700000000"},
    ],
    ids="-".join,
)
def test_another_environment_gives_the_same_bytes(another, expected, environ):
    assert digests(json.loads(another.run("build", "--json", **environ).stdout)) == expected


def test_another_umask_and_other_modes_for_others_give_the_same_bytes(another, expected):
    for path in (another.root / "functions").rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    command = f'umask 077; exec "{sys.executable}" -m invoke build --json'
    environ = {**os.environ, **another.environ}
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=another.root, env=environ, capture_output=True, text=True, check=True
    )
    assert digests(json.loads(done.stdout)) == expected


def test_other_dates_of_files_give_the_same_bytes(another, expected):
    for path in another.root.rglob("*"):
        os.utime(path, (2_000_000_000, 2_000_000_000))
    assert digests(another.json("build")) == expected


def test_verify_finds_no_difference_and_says_so(shop, expected):
    done = shop.run("verify")
    assert "have the same bytes when they are built elsewhere" in done.stderr
    assert done.stdout == ""


def test_verify_names_the_member_and_the_field_that_differ_and_ends_with_1(another, expected):
    another.run("build")
    (pour,) = [Path(row["path"]) for row in another.json("build")["functions"]]
    with zipfile.ZipFile(pour) as archive:
        name = archive.namelist()[0]
    data, stamp = bytearray(pour.read_bytes()), pour.stat().st_mtime_ns
    data[data.index(b"PK\x01\x02") + 12] ^= 0x21  # the time of the first member
    pour.write_bytes(data)
    os.utime(pour, ns=(stamp, stamp))
    assert untouched(pour), "else the build makes it anew before anything is compared"
    done = another.run("verify", code=1)
    assert f"functions/pour: {name}: date: " in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: ")


def test_verify_changes_everything_that_must_not_matter(another, tmp_path):
    facts, assemble = tmp_path / "facts", another.root / "build/packaging/assemble.py"
    assemble.write_text(assemble.read_text("utf-8") + PROBE.replace("FACTS", repr(str(facts))), "utf-8")
    for (
        name
    ) in "mcxaqbzkte":  # no file system lists them as they come, nor the other way round, in order of their names
        another.write(f"functions/pour/src/names/{name}", "").chmod(0o644)
    umask = os.umask(0o022)
    try:
        another.run("build", LC_ALL="C")
        another.run("verify", TZ="UTC", LC_ALL="C", PYTHONHASHSEED="0")
    finally:
        os.umask(umask)
    _, here, there = map(json.loads, facts.read_text("utf-8").splitlines())
    assert [what for what in here if here[what] == there[what]] == []
    assert there["listdir"] == there["scandir"] == sorted(there["listdir"], reverse=True)
    assert abs(here["date"] - there["date"]) > 1
    assert there["store"] == ["notes", "wheels"]


class TestVerifyBuildsAgain:
    """What was built here from source: it follows from the checkout as well, or it is no good."""

    @pytest.fixture
    def built(self, another, index, tmp_path):
        """A function of an sdist and of a project of the repository, both of which count how often they are built."""

        def make(line=""):
            for name in ("kettle", "sieve"):
                place = another.root / "libs" / name
                write_project(place, name)
                with (place / "backend.py").open("a") as backend:
                    backend.write(f"open({str(tmp_path / name)!r}, 'a').write('x')\n{line}\n")
            _, digest = make_sdist(index, another.root / "libs/kettle", "kettle")
            lock = f"kettle==1.0 --hash=sha256:{digest.hex}\nsieve @ file:../../libs/sieve\n"
            another.write("functions/pour/requirements.txt", lock)
            another.write("functions/pour/src/app.py", "import kettle, sieve\n\ndef handler(event, context): ...\n")
            another.run("build")
            return {name: len((tmp_path / name).read_text()) for name in ("kettle", "sieve")}

        return make

    def test_an_sdist_and_a_project_of_the_repository(self, another, built, tmp_path):
        before = built()
        assert another.run("build").stdout.count("unchanged")
        done = another.run("verify")
        assert "have the same bytes when they are built elsewhere" in done.stderr
        after = {name: len((tmp_path / name).read_text()) for name in before}
        assert after == {name: 2 * count for name, count in before.items()}

    def test_and_names_the_member_that_comes_out_otherwise(self, another, built):
        built("Path('src', NAME + '_made.py').write_text(f'AT = {time.time_ns()}')")
        done = another.run("verify", code=1)
        assert "functions/pour: kettle_made.py: CRC: " in done.stderr

    def test_and_tells_what_does_not_build_elsewhere(self, another, built, index):
        built()
        next(index.glob("kettle*")).unlink()
        done = another.run("verify", code=4)
        assert "the build elsewhere failed" in done.stderr
        assert "functions/pour/requirements.txt: kettle 1.0" in done.stderr


def test_verify_leaves_our_store_as_it_is(another):
    another.run("build")
    store = another.root / ".artifacts/store"
    shutil.rmtree(store / "bytecode")
    another.run("verify")
    assert not (store / "bytecode").exists()


def test_verify_tells_when_the_build_elsewhere_fails(another):
    another.run("build")
    tasks = another.root / "build/inspection/elsewhere.py"
    tasks.write_text("raise SystemExit('out of order')\n", "utf-8")
    done = another.run("verify", code=4)
    assert "the build elsewhere failed" in done.stderr
    assert "out of order" in done.stderr


def test_verify_refuses_a_python_that_cannot_build(shop):
    for version in ("3.10", "2.7", "latest"):
        assert "expected 3.11 or newer" in shop.run("verify", "--python", version, code=2).stderr


@pytest.mark.network
@pytest.mark.parametrize("minor", [11, 12, 13])
def test_another_host_python_gives_the_same_bytes(shop, expected, minor):
    runtime = Runtime(minor)
    if minor == sys.version_info.minor:
        pytest.skip("this is the Python of all the other tests")
    try:
        interpreter_of(runtime)
    except ToolError as reason:
        pytest.skip(reason.summary)
    kept = python_for(runtime.version, ROOT, on_progress=lambda _: None).parents[2]  # made once for all checkouts
    there = shop.root / ".artifacts/verify" / kept.name
    there.parent.mkdir(exist_ok=True)
    there.symlink_to(kept, target_is_directory=True)
    online = {name: value for name, value in shop.environ.items() if not name.startswith("PIP_NO")}
    done = Checkout(shop.root, online).run("verify", "--python", runtime.version)
    assert "have the same bytes" in done.stderr
