import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.digest import Digest
from build.errors import FindingsError
from build.store.objects import Store, _sweep, trusted, verified

KEY = Digest.of_bytes(b"key")


def test_what_is_remembered_is_recalled(tmp_path):
    store = Store(tmp_path)
    store.remember("subject", KEY, {"a": [1, "b"]})
    assert store.recall("subject", KEY, dict) == {"a": [1, "b"]}
    assert store.recall("subject", Digest.of_bytes(b"other"), dict) is None


def test_a_torn_note_counts_as_forgotten(tmp_path):
    store = Store(tmp_path)
    store.remember("subject", KEY, {"a": 1})
    (tmp_path / "notes" / "subject" / f"{KEY.hex}.json").write_text('{"a":')
    assert store.recall("subject", KEY, dict) is None


@pytest.mark.parametrize("note", [None, [], ["a"], {"b": "1"}, {"a": "x"}, 7, "text"])
def test_a_note_of_another_shape_counts_as_forgotten(tmp_path, note):
    store = Store(tmp_path)
    store.remember("subject", KEY, note)
    assert store.recall("subject", KEY, lambda value: int(value["a"])) is None


def test_nothing_of_a_failed_attempt_is_visible(tmp_path):
    store = Store(tmp_path)

    def attempt():
        with store.scratch() as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt()
    assert not list((tmp_path / "tmp").iterdir())


def test_what_a_killed_build_left_is_swept_after_a_day_and_not_before(tmp_path):
    store = Store(tmp_path)
    old, young = tmp_path / "tmp" / "old", tmp_path / "tmp" / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
    note = tmp_path / "tmp" / "draft of a note"
    note.write_text("{}")
    for leftover in (old, note):
        os.utime(leftover, (0, 0))
    store.remember("subject", KEY, {})
    assert [folder.name for folder in (tmp_path / "tmp").iterdir()] == ["young"]


def test_threads_that_sweep_and_leave_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr("build.store.objects._sweep", _sweep.__wrapped__)  # each time, as many processes would
    store = Store(tmp_path)

    def attempt(_: int) -> None:
        with store.scratch():
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(400)))


def test_a_file_that_was_written_to_is_looked_at_before_it_is_trusted_again(tmp_path):
    store = Store(tmp_path)
    with store.scratch() as folder:
        (folder / "draft").write_bytes(b"right")
        kept = store.keep(folder / "draft", tmp_path / "kept.whl")
    digest = Digest.of_bytes(b"right")
    assert trusted(kept, digest) == kept
    os.utime(kept)
    assert trusted(kept, digest) == kept, "a copy of the store has other times, and the same bytes"
    kept.write_bytes(b"wrong")
    with pytest.raises(FindingsError, match=r"kept\.whl in the store is not the file"):
        trusted(kept, digest)


def test_a_corrupt_file_is_told_and_removed_so_that_the_next_run_makes_it_anew(tmp_path):
    path = tmp_path / "demo.whl"
    path.write_bytes(b"right")
    digest = Digest.of_file(path)
    assert verified(path, digest) == path
    path.write_bytes(b"wrong")
    with pytest.raises(FindingsError) as caught:
        verified(path, digest)
    assert caught.value.facts[:2] == (f"expected {digest}", f"got {Digest.of_bytes(b'wrong')}")
    assert not path.exists()
