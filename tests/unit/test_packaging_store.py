import os

import pytest

from build.digest import Digest
from build.errors import FindingsError
from build.packaging.store import Store, verified

KEY = Digest.of_bytes(b"key")


def test_what_is_remembered_is_recalled(tmp_path):
    store = Store(tmp_path)
    store.remember("subject", KEY, {"a": [1, "b"]})
    assert store.recall("subject", KEY) == {"a": [1, "b"]}
    assert store.recall("subject", Digest.of_bytes(b"other")) is None


def test_a_torn_note_counts_as_forgotten(tmp_path):
    store = Store(tmp_path)
    store.remember("subject", KEY, {"a": 1})
    (tmp_path / "notes" / "subject" / f"{KEY.hex}.json").write_text('{"a":')
    assert store.recall("subject", KEY) is None


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
    os.utime(old, (0, 0))
    with store.scratch():
        pass
    assert [folder.name for folder in (tmp_path / "tmp").iterdir()] == ["young"]


def test_a_corrupt_file_is_told_and_set_aside_so_that_the_next_run_fetches_it(tmp_path):
    path = tmp_path / "demo.whl"
    path.write_bytes(b"right")
    digest = Digest.of_file(path)
    assert verified(path, digest) == path
    path.write_bytes(b"wrong")
    with pytest.raises(FindingsError) as caught:
        verified(path, digest)
    assert caught.value.facts[:2] == (f"expected {digest}", f"got {Digest.of_bytes(b'wrong')}")
    assert not path.exists()
