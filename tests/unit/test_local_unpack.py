import io
import os
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.digest import Digest
from build.errors import FindingsError
from build.local import unpack


def archive(*members):
    """Each member is (name, content) or (name, content, mode)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            target.writestr(info, content)
    data = buffer.getvalue()
    return unpack.Archive(Digest.of_bytes(data), data)


def test_code_is_unpacked_with_its_executable_bits(tmp_path):
    code = archive(("app.py", "x = 1"), ("bin/tool", "#!", stat.S_IFREG | 0o755), ("empty/", ""))
    root = unpack.task_root(tmp_path, code)
    assert (root / "app.py").read_text() == "x = 1"
    assert os.access(root / "bin/tool", os.X_OK)
    assert not (root / "app.py").stat().st_mode & 0o111
    assert (root / "empty").is_dir()


def test_the_same_code_is_unpacked_once(tmp_path):
    code = archive(("app.py", "x = 1"))
    before = unpack.task_root(tmp_path, code)
    (before / "mark").touch()
    assert (unpack.task_root(tmp_path, code) / "mark").exists()


def test_later_layers_win_and_the_order_matters(tmp_path):
    low, high = archive(("python/a.py", "low"), ("python/b.py", "low")), archive(("python/a.py", "high"))
    merged = unpack.opt(tmp_path, [low, high])
    other = unpack.opt(tmp_path, [high, low])
    assert merged
    assert other
    assert [(merged / "python" / name).read_text() for name in ("a.py", "b.py")] == ["high", "low"]
    assert (other / "python/a.py").read_text() == "low"


def test_without_layers_there_is_no_opt(tmp_path):
    assert unpack.opt(tmp_path, []) is None


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil.py", "a\\evil.py"])
def test_a_member_that_leads_out_is_refused_and_nothing_is_left(tmp_path, name):
    with pytest.raises(FindingsError) as caught:
        unpack.task_root(tmp_path, archive(("good.py", ""), (name, "x")))
    assert caught.value.facts == (name,)
    assert list((tmp_path / "local" / "tasks").iterdir()) == []


def test_what_is_no_zip_is_told_in_plain_words(tmp_path):
    with pytest.raises(FindingsError, match="no zip archive"):
        unpack.task_root(tmp_path, unpack.Archive(Digest.of_bytes(b"no zip"), b"no zip"))


def test_links_inside_are_kept_and_links_to_outside_refused(tmp_path):
    link = stat.S_IFLNK | 0o777
    root = unpack.task_root(tmp_path, archive(("lib/real.so", "x"), ("lib/link.so", "real.so", link)))
    assert (root / "lib/link.so").read_text() == "x"
    for target in ("../../etc/passwd", "/etc/passwd"):
        with pytest.raises(FindingsError):
            unpack.task_root(tmp_path, archive(("lib/link.so", target, link)))


def test_many_at_once_get_the_same_whole_folder(tmp_path):
    code = archive(*((f"m{number}.py", "x") for number in range(50)))
    with ThreadPoolExecutor(8) as threads:
        roots = list(threads.map(lambda _: unpack.task_root(tmp_path, code), range(8)))
    assert len(set(roots)) == 1
    assert len(list(roots[0].iterdir())) == 50
    assert list((tmp_path / "local" / "tasks").iterdir()) == [roots[0]]


def test_what_nobody_used_for_a_week_is_removed(tmp_path):
    old = unpack.task_root(tmp_path, archive(("old.py", "")))
    new = unpack.task_root(tmp_path, archive(("new.py", "")))
    long_ago = time.time() - unpack.KEPT_S - 60
    os.utime(old, (long_ago, long_ago))
    unpack.prune(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_what_earlier_code_has_already_is_linked_and_the_rest_written(tmp_path):
    tool = ("bin/tool", "#!", stat.S_IFREG | 0o755)
    before = archive(("lib/big.py", "x" * 5000), ("app.py", "old"), ("mode.py", ""), ("gone.py", ""), tool)
    after = archive(("lib/big.py", "x" * 5000), ("app.py", "new"), ("mode.py", "", stat.S_IFREG | 0o755), tool)
    old, new = unpack.task_root(tmp_path, before), unpack.task_root(tmp_path, after, like=before)
    assert [(new / name).samefile(old / name) for name in ("lib/big.py", "bin/tool", "app.py", "mode.py")] == [
        *(True, True),
        *(False, False),
    ]
    assert ((new / "app.py").read_text(), (old / "app.py").read_text()) == ("new", "old")
    assert os.access(new / "mode.py", os.X_OK)
    assert not (new / "gone.py").exists()


def test_earlier_code_that_is_not_unpacked_or_gone_in_part_does_no_harm(tmp_path):
    before, after = archive(("a.py", "1"), ("b.py", "2")), archive(("a.py", "1"), ("b.py", "2"), ("c.py", "3"))
    assert (unpack.task_root(tmp_path, after, like=before) / "a.py").read_text() == "1"
    (unpack.task_root(tmp_path, before) / "a.py").unlink()
    third = archive(("a.py", "1"), ("d.py", "4"))
    assert (unpack.task_root(tmp_path, third, like=before) / "a.py").read_text() == "1"


def test_layers_are_linked_to_what_they_were_merged_to_before(tmp_path):
    low, high = archive(("python/a.py", "low"), ("python/b.py", "low")), archive(("python/a.py", "high"))
    higher = archive(("python/a.py", "higher"))
    before = unpack.opt(tmp_path, [low, high])
    after = unpack.opt(tmp_path, [low, higher], like=[low, high])
    assert before
    assert after
    assert (after / "python/b.py").samefile(before / "python/b.py")
    assert [(each / "python/a.py").read_text() for each in (before, after)] == ["high", "higher"]


def test_a_zip_on_disk_is_unpacked_from_there(tmp_path):
    code = archive(("app.py", "x = 1"))
    place = tmp_path / "code.zip"
    place.write_bytes(code.data)
    assert (unpack.task_root(tmp_path, unpack.Archive(code.digest, place)) / "app.py").read_text() == "x = 1"
