"""Where two zips part, for every field in which zips can part."""

import zipfile
from pathlib import Path

import pytest

from build.inspection.sameness import first_difference

NAMES = ("app.py", "lib/a.py", "lib/b.py")


def write(path, names=NAMES, *, data=b"VALUE = 1\n" * 20, comment=b"", changed="lib/a.py", level=6, **fields):
    """Write a zip whose member ``changed`` has ``fields`` of its own, and ``data``."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = comment
        for name in names:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o100644 << 16, 3
            if name == changed:
                for field, value in fields.items():
                    setattr(info, field, value)
            archive.writestr(info, data if name == changed else b"VALUE = 1\n" * 20, compresslevel=level)
    return path


@pytest.fixture
def ours(tmp_path):
    return write(tmp_path / "ours.zip")


def patched(path: Path, at: int, value: bytes) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def test_equal_bytes_have_no_difference(ours, tmp_path):
    assert first_difference(ours, write(tmp_path / "theirs.zip")) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"external_attr": 0o100755 << 16}, "lib/a.py: mode: 0100644 and 0100755"),
        ({"external_attr": (0o100644 << 16) | 1}, "lib/a.py: DOS attributes: 0 and 1"),
        ({"date_time": (2024, 5, 6, 7, 8, 10)}, "lib/a.py: date: 1980-01-01 00:00:00 and 2024-05-06 07:08:10"),
        ({"compress_type": zipfile.ZIP_STORED}, "lib/a.py: method: 8 and 0"),
        ({"data": b"VALUE = 2\n" * 20}, "lib/a.py: CRC: "),
        ({"data": b"VALUE = 10\n" * 20}, "lib/a.py: size: 200 and 220"),
        ({"extra": b"\x99\x99\x00\x00"}, "lib/a.py: extra field:  and 99990000"),
        ({"comment": b"hello"}, "comment of the zip: b'' and b'hello'"),
        ({"create_system": 0}, "lib/a.py: system: 3 and 0"),
        ({"create_version": 30}, "lib/a.py: version made by: 20 and 30"),
        ({"extract_version": 30}, "lib/a.py: version needed: 20 and 30"),
        ({"internal_attr": 1}, "lib/a.py: internal attributes: 0 and 1"),
        ({"names": ("app.py", "lib/a.py")}, "lib/b.py: only in the first"),
        ({"names": (*NAMES, "zoo.py")}, "zoo.py: only in the second"),
        ({"names": ("lib/a.py", "app.py", "lib/b.py")}, "app.py: order: member 1 is app.py and lib/a.py"),
    ],
    ids=lambda value: value.split(":")[1].strip() if isinstance(value, str) else "",
)
def test_the_first_member_and_field_that_differ_are_named(ours, tmp_path, change, said):
    assert (first_difference(ours, write(tmp_path / "theirs.zip", **change)) or "").startswith(said)


def test_of_several_differences_that_of_the_first_member_is_told(ours, tmp_path):
    theirs = write(tmp_path / "theirs.zip", changed="app.py", external_attr=0o100755 << 16, data=b"other")
    assert first_difference(ours, theirs) == "app.py: mode: 0100644 and 0100755"


def test_what_follows_from_other_members_is_told_after_them(tmp_path):
    names = ("a-1.0.dist-info/RECORD", "__pycache__/app.pyc", "app.py", "lib.py")

    def made(place, number):
        with zipfile.ZipFile(tmp_path / place, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                data = f"{name} {number * (name != 'lib.py')}" * number
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data if name != "lib.py" else "x")
        return tmp_path / place

    assert first_difference(made("ours.zip", 1), made("theirs.zip", 2)) == "app.py: size: 8 and 16"


def test_a_member_comment_of_one_zip_is_told(ours, tmp_path):
    theirs = tmp_path / "theirs.zip"
    with zipfile.ZipFile(ours) as source, zipfile.ZipFile(theirs, "w") as archive:
        for info in source.infolist():
            info.comment = b"note" if info.filename == "lib/a.py" else b""
            archive.writestr(info, source.read(info))
    assert first_difference(ours, theirs) == "lib/a.py: comment: b'' and b'note'"


def test_a_flag_that_differs_is_told(ours, tmp_path):
    theirs = write(tmp_path / "theirs.zip")
    central = theirs.read_bytes().index(b"PK\x01\x02")
    patched(theirs, central + 8, b"\x02\x00")
    assert first_difference(ours, theirs) == "app.py: flags: 0 and 2"


def test_same_content_packed_at_another_level_is_told(tmp_path):
    prose = b" ".join(b"%d bottles of %x" % (number, number**3) for number in range(400))
    ours = write(tmp_path / "ours.zip", data=prose, level=9)
    theirs = write(tmp_path / "theirs.zip", data=prose, level=1)
    assert (first_difference(ours, theirs) or "").startswith("lib/a.py: compressed size: ")


def test_bytes_of_a_member_that_its_directory_does_not_tell_are_told(ours, tmp_path):
    theirs = write(tmp_path / "theirs.zip")
    with zipfile.ZipFile(theirs) as archive:
        info = archive.getinfo("lib/a.py")
    patched(theirs, info.header_offset + 30 + len("lib/a.py") + 2, b"\xff")
    assert first_difference(ours, theirs) == "lib/a.py: compressed bytes: same content, packed differently"


@pytest.mark.parametrize(("offset", "field"), [(10, "time"), (12, "date"), (14, "CRC")])
def test_a_local_header_that_differs_alone_is_told(ours, tmp_path, offset, field):
    theirs = patched(write(tmp_path / "theirs.zip"), offset, b"\x07\x00")
    assert f"app.py: {field} in its own header: " in (first_difference(ours, theirs) or "")


def test_bytes_behind_the_end_are_told(ours, tmp_path):
    theirs = write(tmp_path / "theirs.zip")
    whole = theirs.read_bytes()
    theirs.write_bytes(whole + b"tail")
    assert first_difference(ours, theirs) == f"bytes outside of every member: from byte {len(whole)}"


def test_what_is_no_zip_is_told(ours, tmp_path):
    theirs = tmp_path / "theirs.zip"
    theirs.write_bytes(b"nothing")
    assert "no whole zip" in (first_difference(ours, theirs) or "")


def test_a_zip_that_was_cut_is_told(ours, tmp_path):
    theirs = tmp_path / "theirs.zip"
    theirs.write_bytes(ours.read_bytes()[:-30])
    assert "no whole zip" in (first_difference(ours, theirs) or "")
