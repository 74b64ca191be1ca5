"""Tars of other tools, with one date for everything."""

import io
import os
import py_compile
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from build.images.dating import dated, modules_in
from build.images.layers import write_tar
from build.images.tar import MTIME_S
from tests.unit.test_images_layers import content

SECOND = 1_700_000_000


def tar(
    members: Mapping[str, bytes | None],
    *,
    mtime: float = SECOND,
    owner: str = "root",
    pax: Mapping[str, str] | None = None,
    form: int = tarfile.PAX_FORMAT,
) -> bytes:
    """A tar in which None stands for a folder, and text that begins with ``->`` for a link."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.mtime, info.uname, info.gname, info.mode = mtime, owner, owner, 0o755
            info.pax_headers = dict(pax or {})
            if data is None:
                info.type = tarfile.DIRTYPE
            elif data.startswith(b"->"):
                info.type, info.linkname = tarfile.SYMTYPE, data[2:].decode()
            else:
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data or b""))
    return held.getvalue()


def dated_tar(data: bytes, below: dict[str, int] | None = None) -> bytes:
    source = io.BytesIO(data)
    return b"".join(dated(source, {**(below or {}), **modules_in(source)}))


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data + bytes(1024))) as archive:
        return archive.getmembers()


LONG = f"{'deep/' * 40}{'n' * 120}"
HELD = {"var": None, "var/app.py": b"x = 1\n", "var/link": b"->app.py", LONG: b"y" * 1500, "empty": b""}


def test_what_differs_in_times_and_names_of_owners_alone_becomes_the_same():
    seen = {
        dated_tar(tar(HELD, mtime=mtime, owner=owner, pax=pax))
        for mtime in (1, SECOND, SECOND + 0.123456)
        for owner, pax in (("root", {}), ("ann", {"atime": "3.5"}), ("", {"ctime": "1234567890.12"}))
    }
    assert len(seen) == 1


def test_everything_else_stays():
    given = tar(HELD, pax={"SCHILY.xattr.user.color": "green"})
    found = members(dated_tar(given))
    kept = [(each.name, each.size, each.mode, each.type, each.linkname) for each in members(given)]
    assert [(each.name, each.size, each.mode, each.type, each.linkname) for each in found] == kept
    assert {each.mtime for each in found} == {MTIME_S}
    assert {each.pax_headers["SCHILY.xattr.user.color"] for each in found} == {"green"}


def test_names_that_are_long_in_the_way_of_gnu_stay():
    found = members(dated_tar(tar(HELD, form=tarfile.GNU_FORMAT)))
    assert [each.name for each in found] == [*HELD]
    assert {each.mtime for each in found} == {MTIME_S}


def test_a_dated_tar_becomes_a_layer_with_the_same_content(tmp_path):
    large = {**HELD, "large": bytes(range(256)) * 10_000}
    layer = write_tar([dated_tar(tar(large))], tmp_path / "layer")
    assert content(tmp_path / "layer") == {
        name: data if data is None or not data.startswith(b"->") else b"x = 1\n" for name, data in large.items()
    }
    assert layer.size_bytes == (tmp_path / "layer").stat().st_size
    whole = dated_tar(tar(large))
    pieces = (whole[at : at + 999] for at in range(0, len(whole), 999))
    assert write_tar(pieces, tmp_path / "again") == layer


def test_a_layer_of_nothing_is_one(tmp_path):
    write_tar([dated_tar(tar({}))], tmp_path / "layer")
    assert content(tmp_path / "layer") == {}


def compiled(folder: Path, second: int) -> bytes:
    """The bytecode of a module that was written in ``second``."""
    (folder / "app.py").write_bytes(b"x = 1\n")
    os.utime(folder / "app.py", (second, second))
    mode = py_compile.PycInvalidationMode.TIMESTAMP
    return Path(str(py_compile.compile(str(folder / "app.py"), invalidation_mode=mode))).read_bytes()


BYTECODE = "var/__pycache__/app.cpython-313.pyc"


def told(data: bytes) -> int:
    """Which second its module is of, as the bytecode in a tar has it."""
    (found,) = (each for each in members(data) if each.name == BYTECODE)
    return int.from_bytes(data[found.offset_data + 8 : found.offset_data + 12], "little")


def test_bytecode_stays_up_to_date(tmp_path):
    held = {BYTECODE: compiled(tmp_path, SECOND), "var/app.py": b"x = 1\n"}
    assert told(dated_tar(tar(held))) == MTIME_S
    alone = {BYTECODE: held[BYTECODE]}
    assert told(dated_tar(tar(alone), {"var/app.py": SECOND})) == MTIME_S


def test_bytecode_that_is_outdated_already_stays_so(tmp_path):
    held = {BYTECODE: compiled(tmp_path, SECOND - 1), "var/app.py": b"x = 1\n"}
    assert told(dated_tar(tar(held))) == SECOND - 1
    assert told(dated_tar(tar({BYTECODE: held[BYTECODE]}))) == SECOND - 1


def test_what_is_no_tar_is_refused():
    with pytest.raises(tarfile.TarError):
        dated_tar(b"nonsense" * 200)
