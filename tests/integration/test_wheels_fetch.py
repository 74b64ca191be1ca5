"""pip itself, against a folder of wheels and an index that wants a password."""

import base64
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import InputError, ToolError
from build.locking.requirements import parse_lock
from build.store.objects import Store
from build.wheels import fetch
from build.wheels.fetch import fetch_wheels
from build.wheels.pip import others_with_wheel
from build.wheels.sdists import NoSourceError
from tests.builders import ARM, X86, lock_line, make_wheel

pytestmark = pytest.mark.slow


def pins_of(*wheels, marker=""):
    return parse_lock(lock_line(*wheels, marker=marker)).pins[0]


def fetched(tmp_path, *wants, say=lambda _: None):
    return fetch_wheels(dict.fromkeys(wants, "functions/one"), Store(tmp_path / "store"), on_progress=say)


@pytest.fixture
def no_source(monkeypatch):
    """No sdist is there; tests/integration/test_wheels_sdists.py has some."""

    def build(pin, content, target, store, on_progress):
        raise NoSourceError("is not there", hint="pin a version that has a wheel")

    monkeypatch.setattr(fetch, "build_wheel", build)
    monkeypatch.setattr(fetch, "known_build", lambda *_: None)


def test_the_wheel_of_the_targets_architecture_is_chosen(tmp_path, package_index):
    x86 = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_28_x86_64")
    arm = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_17_aarch64")
    make_wheel(package_index, "fast", tag="cp313-cp313-macosx_11_0_arm64")
    pin = pins_of(x86, arm)
    found = fetched(tmp_path, (pin, ARM), (pin, X86))
    assert {target: wheel.path.name for (_, target), wheel in found.items()} == {ARM: arm.path.name, X86: x86.path.name}


def test_every_distribution_without_a_wheel_is_named_at_once_and_the_rest_is_kept(tmp_path, package_index, no_source):
    old = make_wheel(package_index, "old", tag="cp312-cp312-manylinux2014_aarch64")
    mac = make_wheel(package_index, "mac", tag="cp313-cp313-macosx_11_0_arm64")
    make_wheel(package_index, "old", "1.1")
    make_wheel(package_index, "old", "1.2", tag="cp312-cp312-manylinux2014_aarch64")
    good, evil = make_wheel(package_index, "good"), make_wheel(package_index, "evil")
    pin = pins_of(evil)
    make_wheel(package_index, "evil", files={"evil.py": "import os"})
    with pytest.raises(InputError, match="without a wheel") as caught:
        fetched(tmp_path, *((each, ARM) for each in (pins_of(old), pins_of(mac), pins_of(good), pin)))
    assert caught.value.facts == (
        "functions/one: evil 1.0 on python3.13 on arm64: no wheel for it that the lock allows",
        "functions/one: mac 1.0 on python3.13 on arm64: no wheel for it",
        "functions/one: old 1.0 on python3.13 on arm64: no wheel for it",
        "  other versions have one, such as 1.1",
    )
    assert "invoke lock --upgrade" in caught.value.hint
    assert [path.name for path in (tmp_path / "store").glob("wheels/*/*")] == [good.path.name]


def test_a_hostile_wheel_does_not_enter_the_store(tmp_path, package_index):
    evil = make_wheel(package_index, "evil", files={"../../evil.py": "x"})
    with pytest.raises(InputError, match="evil") as caught:
        fetch_wheels({(pins_of(evil), X86): "functions/one/uv.lock"}, Store(tmp_path / "store"), on_progress=print)
    assert caught.value.hint == "ask for another version of evil than functions/one/uv.lock has, then run `invoke lock`"
    assert not list((tmp_path / "store").glob("wheels/*/*"))


def test_every_wheel_that_cannot_ship_is_told_at_once_and_the_others_are_kept(tmp_path, package_index):
    good = make_wheel(package_index, "good")
    evil = [make_wheel(package_index, name, files={"/etc/passwd": name}) for name in ("evil", "worse")]
    with pytest.raises(InputError, match="wheels that cannot ship") as caught:
        fetched(tmp_path, *((pins_of(wheel), target) for wheel in (*evil, good) for target in (X86, ARM)))
    assert [fact for fact in caught.value.facts if not fact.startswith("  ")] == [
        f"{wheel.path.name} is not a wheel that can ship" for wheel in evil
    ]
    assert [path.name for path in (tmp_path / "store").glob("wheels/*/*")] == [good.path.name]


@pytest.mark.parametrize("wrong", ["for another machine", "torn", "of another name"])
def test_a_wheel_of_the_repository_that_pip_refuses_has_no_sdist_to_build(tmp_path, package_index, wrong):
    tag = "cp313-cp313-win_amd64" if wrong == "for another machine" else "py3-none-any"
    path = make_wheel(tmp_path / "vendored", "fast", tag=tag).path
    if wrong == "torn":
        path.write_bytes(path.read_bytes()[:100])
    if wrong == "of another name":
        path = path.rename(path.with_name(path.name.replace("fast", "slow")))
    name = path.name.partition("-")[0]
    pin = parse_lock(f"{name}==1.0 --hash=sha256:{Digest.of_file(path).hex}\n").pins[0]
    with pytest.raises(InputError, match="without a wheel") as caught:
        fetch_wheels(
            {(replace(pin, url=path.as_uri()), X86): "functions/one/poetry.lock"},
            Store(tmp_path / "store"),
            on_progress=print,
        )
    said = {
        "for another machine": f"{path.name} is not a supported wheel",
        "torn": f"Wheel 'fast' located at {path} is invalid",
        "of another name": "slow has an invalid wheel, .dist-info directory 'fast-1.0.dist-info' does not start with "
        "'slow'",
    }
    where = f"functions/one/poetry.lock: {name} 1.0 on python3.13 on x86_64"
    assert caught.value.facts == (f"{where}: pip refuses its wheel: {said[wrong]}",)
    assert "than functions/one/poetry.lock has" in caught.value.hint


def test_an_index_that_is_out_of_reach_ends_it_at_once_without_showing_credentials(
    tmp_path, package_index, monkeypatch
):
    wheel = make_wheel(tmp_path / "elsewhere", "six")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://someone:{'pass'}{'word'}@127.0.0.1:9/simple")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with pytest.raises(ToolError, match="fetching wheels") as caught:
        fetched(tmp_path, (pins_of(wheel), X86))
    assert "127.0.0.1" in str(caught.value)
    assert "password" not in str(caught.value)
    assert "someone" not in str(caught.value)


SECRET = "hunter" + "2"


@pytest.fixture
def private_index(tmp_path, package_index, monkeypatch) -> Iterator[tuple[Path, str]]:
    """A folder that only they see who know the password, and the index's address with it."""
    allowed = f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.headers.get("Authorization") == allowed:
                super().do_GET()
            else:
                self.send_error(401)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(tmp_path / "private"), **kwargs)

    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS", *(n for n in os.environ if n.lower().endswith("_proxy"))):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / "private/simple", f"http://me:{SECRET}@127.0.0.1:{server.server_port}/simple"
        server.shutdown()


@pytest.mark.parametrize("said_by", ["pip.conf", "the environment", "the lock"])
def test_a_private_index_is_reached_as_pip_reaches_it_and_its_password_is_not_shown(
    tmp_path, private_index, monkeypatch, said_by
):
    folder, address = private_index
    there, other = make_wheel(folder / "there", "there"), make_wheel(tmp_path, "other")
    pins = [pins_of(there), pins_of(other)]
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple" if said_by == "the lock" else address)
    monkeypatch.setenv("PIP_RETRIES", "0")
    if said_by == "pip.conf":
        monkeypatch.delenv("PIP_INDEX_URL")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {address}\n")
    if said_by == "the lock":
        pins = [replace(pin, options=(f"--extra-index-url {address}",)) for pin in pins]
    said: list[str] = []
    assert fetched(tmp_path, (pins[0], X86), say=said.append)[pins[0], X86].digest == there.digest
    assert " from the index (" in said[-1]
    with pytest.raises(InputError) as caught:
        fetched(tmp_path, (pins[1], X86), say=said.append)
    assert SECRET not in "\n".join([*said, str(caught.value)])


def test_an_index_that_refuses_the_password_is_no_missing_wheel(tmp_path, private_index, monkeypatch):
    folder, address = private_index
    monkeypatch.setenv("PIP_INDEX_URL", address.replace(SECRET, "forgotten"))
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ToolError, match="fetching wheels") as caught:
        fetched(tmp_path, (pins_of(make_wheel(folder / "there", "there")), X86))
    assert "401 Error, Credentials not correct" in "\n".join(caught.value.facts)
    assert "forgotten" not in str(caught.value)


def brought_by_another_target(tmp_path, wheel):
    place = Store(tmp_path / "store").wheel(wheel.digest, wheel.path.name)
    place.parent.mkdir(parents=True)
    return wheel.path.replace(place)


def test_among_several_files_the_store_does_not_decide(tmp_path, package_index):
    """Else what was built before would decide what is built now: a compiled wheel is better than a pure one."""
    pure = make_wheel(package_index, "fast")
    arm = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux2014_aarch64", files={"fast.so": "x"})
    pin = pins_of(pure, arm)
    brought_by_another_target(tmp_path, pure)
    (wheel,) = fetched(tmp_path, (pin, ARM)).values()
    assert wheel.path.name == arm.path.name


def test_the_same_pin_under_other_markers_is_fetched_once(tmp_path, package_index):
    wheel = make_wheel(package_index, "six")
    said: list[str] = []
    pins = [pins_of(wheel), pins_of(wheel, marker='sys_platform == "linux"')]
    one, two = fetched(tmp_path, *((pin, X86) for pin in pins), say=said.append).values()
    assert one == two
    assert [line for line in said if line.startswith("fetching")] == [f"fetching 1 wheel for {X86}: six"]


@pytest.mark.parametrize(
    ("own", "expected"), [("1.2", ("1.3", "1.10")), ("1.3", ("1.10",)), ("2.0", ("1.10",)), ("0.1", ("1.0", "1.10"))]
)
def test_the_nearest_other_version_with_a_wheel_is_found_and_the_newest(package_index, own, expected):
    for version in ("1.0", "1.3", "1.10"):
        make_wheel(package_index, "fast", version, tag="cp313-cp313-manylinux_2_28_x86_64")
    make_wheel(package_index, "fast", "3.0", tag="cp313-cp313-manylinux_2_28_aarch64")
    (pin,) = parse_lock(f"fast=={own} --hash=sha256:{'0' * 64}\n").pins
    assert others_with_wheel(pin, X86) == expected


def test_no_other_version_is_told_where_the_index_knows_none(package_index):
    (pin,) = parse_lock(f"fast==1.0 --hash=sha256:{'0' * 64}\n").pins
    assert others_with_wheel(pin, X86) == ()
