import json
import os
import threading
import zipfile
from pathlib import Path

import pytest

from build.digest import Digest
from build.store.objects import Store, in_use, untouched
from build.store.upkeep import Stored, contents, prune, superfluous, verify

KEY = Digest.of_bytes(b"key")
DAY_S = 86400.0


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def keep(store, final, content):
    with store.scratch() as folder:
        (folder / "draft").write_bytes(content)
        return store.keep(folder / "draft", final)


def keep_wheel(store, content=b"wheel"):
    return keep(store, store.wheel(Digest.of_bytes(content), "a-1-py3-none-any.whl"), content)


def keep_artifact(store, content=b"artifact"):
    return keep(store, store.artifact(Digest.of_bytes(content)), content)


def keep_bytecode(store, key=KEY):
    with store.scratch() as folder:
        with zipfile.ZipFile(folder / "draft", "w") as archive:
            archive.writestr("a.pyc", b"bytecode" * 100)
        return store.keep(folder / "draft", store.bytecode(key))


def nobody(_):
    pass


def test_contents_are_counted_by_kind_and_what_is_half_made_apart(store):
    keep_wheel(store)
    keep_artifact(store)
    keep_bytecode(store)
    store.remember("archive", KEY, {})
    (store.root / "tools" / "zig" / "bin").mkdir(parents=True)
    (store.root / "tools" / "zig" / "bin" / "zig").write_bytes(b"1234")
    with store.scratch() as folder:
        (folder / "half").write_bytes(b"12")
        found = list(contents(store))
    sizes = {each.kind: each.size_bytes for each in found}
    assert len(found) == 6
    assert {"wheels": 5, "artifacts": 8, "tools": 4, "tmp": 2, "notes": 2}.items() <= sizes.items()
    assert all(0 <= each.age_s < 60 for each in found)


def test_a_store_that_is_not_there_is_empty(tmp_path):
    assert list(contents(Store(tmp_path / "none"))) == []
    assert verify(Store(tmp_path / "none"), on_progress=nobody) == []


def test_a_sound_store_verifies(store):
    for made in (keep_wheel(store), keep_artifact(store), keep_bytecode(store)):
        assert made.exists()
    store.remember("archive", KEY, {})
    assert verify(store, on_progress=nobody) == []
    assert len(list(contents(store))) == 4


def test_what_is_damaged_is_named_and_removed_and_nothing_else(store):
    wheel, artifact, bytecode = keep_wheel(store), keep_artifact(store), keep_bytecode(store)
    other = keep_wheel(store, b"other")
    store.remember("archive", KEY, {})
    kept_at = artifact.stat().st_mtime
    wheel.write_bytes(b"whool")
    artifact.write_bytes(b"artifice")
    os.utime(artifact, (kept_at, kept_at))  # a disk that rots does not change the time
    bytes_of_zip = bytearray(bytecode.read_bytes())
    bytes_of_zip[50] ^= 1
    bytecode.write_bytes(bytes_of_zip)
    os.utime(bytecode, (kept_at, kept_at))
    store.note("archive", KEY).write_text("{")
    problems = verify(store, on_progress=nobody)
    assert [line.split("/")[0] for line in problems] == ["wheels", "bytecode", "artifacts", "notes"]
    assert all(line.endswith("; removed") for line in problems)
    assert f"got {Digest.of_bytes(b'artifice')}" in problems[2]
    assert [each.path for each in contents(store)] == [other]


def test_bytecode_that_something_wrote_to_cannot_be_proved_and_goes(store):
    os.utime(keep_bytecode(store))
    assert verify(store, on_progress=nobody) == [f"bytecode/{KEY.hex}.zip: something wrote to it; removed"]


def test_a_wheel_with_the_right_bytes_is_trusted_again_whatever_its_time(store):
    wheel = keep_wheel(store)
    os.utime(wheel)
    assert verify(store, on_progress=nobody) == []
    assert untouched(wheel)


def test_verifying_tells_how_far_it_is(store, monkeypatch):
    monkeypatch.setattr("build.store.upkeep._TOLD_EVERY_S", -1)
    keep_wheel(store)
    keep_artifact(store)
    said: list[str] = []
    verify(store, on_progress=said.append)
    assert said == ["1 of 2 objects, 0 of 0 MB", "2 of 2 objects, 0 of 0 MB"]


# ── prune ─────────────────────────────────────────────────────────────────────────────────────


def stored(path, *, days=0.0, kind=""):
    kind = kind or path.parts[-3 if "wheels" in path.parts else -2]
    return Stored(kind=kind, path=path, size_bytes=1, age_s=days * DAY_S)


def test_what_is_young_or_needed_stays(store):
    old, needed, young = (store.artifact(Digest.of_bytes(name)) for name in (b"old", b"needed", b"young"))
    objects = [stored(old, days=31), stored(needed, days=400), stored(young, days=29)]
    assert [each.path for each in superfluous(objects, {needed}, 30 * DAY_S)] == [old]


def test_what_a_young_note_speaks_of_stays_however_old(store):
    wheel, forgotten, artifact = keep_wheel(store), keep_wheel(store, b"other"), keep_artifact(store)
    store.remember("archive", KEY, {"digest": artifact.stem, "wheels": [{"hex": wheel.parent.name}]})
    objects = [stored(path, days=99) for path in (wheel, forgotten)]
    objects += [stored(artifact, days=99), stored(store.note("archive", KEY), days=1, kind="notes")]
    assert [each.path for each in superfluous(objects, (), 30 * DAY_S)] == [forgotten]


def test_an_old_note_keeps_nothing(store):
    artifact = keep_artifact(store)
    store.remember("archive", KEY, artifact.stem)
    objects = [stored(artifact, days=99), stored(store.note("archive", KEY), days=99, kind="notes")]
    assert superfluous(objects, (), 30 * DAY_S) == objects


def test_what_is_being_made_stays_for_a_day_whatever_is_asked(store):
    making, left = (stored(store.root / "tmp" / name, days=days) for name, days in (("a", 0.5), ("b", 1.5)))
    assert superfluous([making, left], (), 0) == [left]


def test_pruning_shows_before_it_removes_and_leaves_no_empty_folder(store):
    wheel, needed = keep_wheel(store), keep_artifact(store)
    shown: list[Path] = []

    def on_found(going):
        assert wheel.exists()
        shown.extend(each.path for each in going)

    freed = prune(store, {needed}, keep_s=0, dry_run=False, on_wait=lambda: None, on_found=on_found)
    assert (shown, freed) == ([wheel], 5)
    assert not wheel.parent.exists()
    assert needed.exists()


def test_a_dry_run_removes_nothing(store):
    wheel = keep_wheel(store)
    assert prune(store, (), keep_s=0, dry_run=True, on_wait=lambda: None, on_found=nobody) == 5
    assert wheel.exists()


def test_pruning_waits_for_a_build_and_says_so(store):
    wheel = keep_wheel(store)
    waits, done = threading.Event(), threading.Event()

    def pruning():
        prune(store, (), keep_s=0, dry_run=False, on_wait=waits.set, on_found=nobody)
        done.set()

    with in_use(store.root):
        threading.Thread(target=pruning).start()
        assert waits.wait(5)
        assert wheel.exists()
    assert done.wait(5)
    assert not wheel.exists()


def test_a_note_is_json_that_programs_can_read(store):
    store.remember("archive", KEY, {"b": 1, "a": [2]})
    assert json.loads(store.note("archive", KEY).read_text("utf-8")) == {"a": [2], "b": 1}
