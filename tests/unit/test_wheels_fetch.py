import os

from build.locking.requirements import parse_lock
from build.process import Completed
from build.store.objects import Store
from build.wheels import fetch
from build.wheels.fetch import fetch_wheels
from build.wheels.sdists import content_of
from tests.builders import ARM, X86, lock_line, make_wheel


def pins_of(*wheels, marker=""):
    return parse_lock(lock_line(*wheels, marker=marker)).pins[0]


def fetched(tmp_path, *wants, say=lambda _: None):
    return fetch_wheels(dict.fromkeys(wants, "functions/one"), Store(tmp_path / "store"), on_progress=say)


def test_two_versions_of_one_distribution_go_to_pip_one_after_the_other():
    """In one call pip would find no version that is both."""
    old, new, other = parse_lock("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in ("a==1", "a==2", "b==1"))).pins
    batches = fetch._batches([(old, X86), (new, X86), (other, X86), (old, ARM)])
    assert list(batches) == [(X86, [old, other]), (X86, [new]), (ARM, [old])]


def brought_by_another_target(tmp_path, wheel):
    place = Store(tmp_path / "store").wheel(wheel.digest, wheel.path.name)
    place.parent.mkdir(parents=True)
    return wheel.path.replace(place)


def test_a_wheel_that_is_the_locks_only_file_is_not_fetched_again_for_another_target(tmp_path, package_index):
    pure = make_wheel(package_index, "pure")
    stored = brought_by_another_target(tmp_path, pure)
    said: list[str] = []
    (wheel,) = fetched(tmp_path, (pins_of(pure), X86), say=said.append).values()
    assert (wheel.path, said) == (stored, [])


def test_a_note_that_names_another_file_than_the_lock_is_not_believed(tmp_path, monkeypatch):
    """It may come from a remote store that others can write to."""
    good, evil = make_wheel(tmp_path / "good", "six"), make_wheel(tmp_path / "evil", "six", files={"six.py": "evil"})
    store, pin = Store(tmp_path / "store"), pins_of(good)
    brought_by_another_target(tmp_path, evil)
    store.remember("wheel", fetch._key(content_of(pin), X86), [evil.path.name, evil.digest.hex])
    monkeypatch.setattr(fetch, "_fetch_all", lambda missing, *_: (dict.fromkeys(missing, good), {}))
    assert fetched(tmp_path, (pin, X86)) == {(pin, X86): good}


def test_it_is_told_what_came_from_where_and_how_fast(tmp_path):
    wheels = [make_wheel(tmp_path, name, files={"x": os.urandom(500_000)}) for name in ("one", "two", "three")]
    printed = f"""Collecting one
  Downloading https://files.example.invalid/{wheels[0].path.name} (1.2 kB)
  Using cached {wheels[1].path.name} (1.2 kB)
Processing ./{wheels[2].path.name}
"""
    completed = Completed(argv=(), code=0, stdout=printed, stderr="")
    size = f"{wheels[0].path.stat().st_size / 1e6:.1f} MB"
    assert fetch._told(wheels, completed, 1.0) == (
        f"3 wheels in 1.0 s: 1 from the index ({size}, {size}/s), 1 from pip's cache, 1 from folders"
    )
