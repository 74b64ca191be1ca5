import io
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib

import pytest

from build.errors import InputError
from build.zips.directory import read_directory
from build.zips.inflating import inflated
from tests.crafted import Piece, craft_zip

TEXT = b"x = 1\n" * 9
CRC, SIZE = zlib.crc32(TEXT), len(TEXT)
PACKED = 11
FULL = 0xFFFFFFFF


def refused(path):
    with pytest.raises(InputError) as caught:
        read_directory(path)
    return list(caught.value.facts)


def zip64(*numbers):
    return struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def wide(**fields):
    """A member whose sizes are in zip64 fields."""
    full = {"packed": FULL, "size": FULL}
    extra = zip64(SIZE, PACKED)
    return Piece(**{"central": full, "local": full, "central_extra": extra, "local_extra": extra, **fields})


def later(descriptor, **fields):
    """A member that says its CRC and sizes behind its data."""
    return Piece(**{"flags": 8, "local": {"crc32": 0, "packed": 0, "size": 0}, "behind": descriptor, **fields})


EXTRA = {"central_extra": zip64(PACKED), "local_extra": zip64(PACKED)}
DESCRIPTOR = struct.pack("<3L", CRC, PACKED, SIZE)
DESCRIPTOR64 = struct.pack("<L2Q", CRC, PACKED, SIZE)


class Pipe(io.RawIOBase):
    """A file that cannot be sought: zipfile then writes descriptors."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, data):
        return self.stream.write(data)

    def writable(self):
        return True


def test_every_file_is_read_as_zipfile_reads_it(tmp_path):
    path = tmp_path / "good.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("demo")
        archive.writestr("demo/stored.py", TEXT, zipfile.ZIP_STORED)
        archive.writestr("demo/größe.py", TEXT, zipfile.ZIP_DEFLATED)
        archive.writestr("demo/empty.py", b"", zipfile.ZIP_DEFLATED)
        program = zipfile.ZipInfo("demo/program")
        program.external_attr = 0o100755 << 16
        archive.writestr(program, b"#!/bin/sh\n")
        infos = [info for info in archive.infolist() if not info.is_dir()]
    members = read_directory(path)
    assert [m[2:6] for m in members] == [(i.compress_type, i.CRC, i.compress_size, i.file_size) for i in infos]
    assert [m.name for m in members] == ["demo/stored.py", "demo/größe.py", "demo/empty.py", "demo/program"]
    assert [m.name for m in members if m.executable] == ["demo/program"]
    with path.open("rb") as stream:
        assert [b"".join(inflated(stream, m)) for m in members] == [TEXT, TEXT, b"", b"#!/bin/sh\n"]


def test_an_archive_without_members_is_empty(tmp_path):
    assert read_directory(craft_zip(tmp_path / "empty.zip")) == ()


def test_members_come_in_the_order_of_their_bytes_whatever_the_directory_s_order(tmp_path):
    path = craft_zip(tmp_path / "a.zip", Piece(name="b", data=TEXT), Piece(name="a", data=TEXT))
    data = path.read_bytes()
    second = data.rindex(b"PK\1\2")
    first = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    path.write_bytes(data[:first] + data[second:end] + data[first:second] + data[end:])
    assert [member.name for member in read_directory(path)] == ["b", "a"]


def test_an_archive_may_have_a_comment(tmp_path):
    assert len(read_directory(craft_zip(tmp_path / "a.zip", Piece(), comment=b"made by hand"))) == 1


@pytest.mark.parametrize("extra", [b"", b"UT\5\0\1\0\0\0\0", b"ux\2\0ab" + b"UT\1\0a"])
def test_extra_fields_that_say_nothing_of_sizes_and_names_are_passed_over(tmp_path, extra):
    (member,) = read_directory(craft_zip(tmp_path / "a.zip", Piece(local_extra=extra, central_extra=extra)))
    assert (member.name, member.offset) == ("demo/a.py", 30 + len("demo/a.py") + len(extra))


@pytest.mark.parametrize(
    ("piece", "end64"),
    [
        pytest.param(wide(), None, id="sizes"),
        pytest.param(wide(central={}, central_extra=b""), None, id="sizes, in its own header only"),
        pytest.param(
            wide(**{"local": {"packed": FULL}, "central": {"packed": FULL}} | EXTRA), None, id="one of two sizes"
        ),
        pytest.param(wide(central={}, local={}, central_extra=b""), None, id="sizes that are repeated"),
        pytest.param(Piece(central={"start": FULL}, central_extra=zip64(0)), None, id="where it begins"),
        pytest.param(Piece(), {}, id="an end record"),
        pytest.param(wide(), {}, id="everything"),
    ],
)
def test_zip64_is_read(tmp_path, piece, end64):
    end = None if end64 is None else {"here": 0xFFFF, "members": 0xFFFF, "length": FULL, "start": FULL}
    path = craft_zip(tmp_path / "a.zip", piece, Piece(name="demo/b.py"), end64=end64, end=end)
    first, second = read_directory(path)
    assert (first.size_bytes, first.compressed_bytes) == (second.size_bytes, second.compressed_bytes) == (SIZE, PACKED)
    with path.open("rb") as stream, zipfile.ZipFile(path) as archive:
        assert b"".join(inflated(stream, first)) == archive.read("demo/a.py") == TEXT


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(later(DESCRIPTOR), id="plain"),
        pytest.param(later(b"PK\7\10" + DESCRIPTOR), id="with a signature"),
        pytest.param(later(DESCRIPTOR, local={}), id="of what its header says as well"),
        pytest.param(wide(flags=8, behind=DESCRIPTOR64), id="64 bit"),
        pytest.param(wide(flags=8, behind=b"PK\7\10" + DESCRIPTOR64), id="64 bit with a signature"),
        pytest.param(
            wide(flags=8, behind=DESCRIPTOR64, central={}, central_extra=b"", local_extra=zip64(0, 0)),
            id="64 bit, as zipfile writes it",
        ),
    ],
)
def test_data_descriptors_are_read(tmp_path, piece):
    path = craft_zip(tmp_path / "a.zip", piece, Piece(name="demo/b.py"))
    assert [(m.crc32, m.compressed_bytes, m.size_bytes) for m in read_directory(path)] == [(CRC, PACKED, SIZE)] * 2


@pytest.mark.parametrize("force_zip64", [False, True])
def test_what_zipfile_writes_into_a_pipe_is_read(tmp_path, force_zip64):
    path = tmp_path / "a.zip"
    with path.open("wb") as stream, zipfile.ZipFile(Pipe(stream), "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("demo/a.py", "w", force_zip64=force_zip64) as member:
            member.write(TEXT)
        archive.writestr("demo/b.py", b"")
    assert [(m.name, m.crc32, m.size_bytes) for m in read_directory(path)] == [
        ("demo/a.py", CRC, SIZE),
        ("demo/b.py", 0, 0),
    ]


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.py", "demo/../../a.py", "demo/..", "C:/a.py", "c:a.py", ""])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(name=name))) == [f"{name!r} points outside the wheel"]


@pytest.mark.parametrize(
    "name",
    [
        *("demo\\a.py", "..\\a.py", "a\0.py", "a\n.py", "a\x7f.py", "demo//a.py", "./a.py", "demo/./a.py", "demo//"),
        *("a\x85.py", "a\u200b.py", "a\u202eyp.b", "\ufeffa.py", "\ue000.py"),
    ],
)
def test_a_name_that_tools_read_differently_is_refused(tmp_path, name):
    (fact,) = refused(craft_zip(tmp_path / "a.zip", Piece(name=name, data=b"", flags=0x800)))
    assert fact == f"{name.removesuffix('/')!r} is no plain path"


def test_a_name_longer_than_any_system_takes_is_refused(tmp_path):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(name="a/" * 30_000 + "b"))) == [
        f"{'a/' * 20!r}… is 60001 characters long, expected at most 1024"
    ]


@pytest.mark.parametrize("name", ["demo/größe.py", "demo/x:y.txt", "demo/a b.py", "demo/...", "demo/\u3000.py", "..a"])
def test_an_unusual_name_is_a_name(tmp_path, name):
    (member,) = read_directory(craft_zip(tmp_path / "a.zip", Piece(name=name, flags=0x800)))
    assert member.name == name


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        (b"gr\x94\xe1e", 0, "a name is not ASCII, and does not say that it is UTF-8: b'gr\\x94\\xe1e'"),
        ("größe", 0, "a name is not ASCII, and does not say that it is UTF-8: b'gr\\xc3\\xb6\\xc3\\x9fe'"),
        (b"gr\x94\xe1e", 0x800, "a name is not UTF-8, as it says: b'gr\\x94\\xe1e'"),
        (b"\xed\xa0\x80", 0x800, "a name is not UTF-8, as it says: b'\\xed\\xa0\\x80'"),
    ],
)
def test_a_name_in_an_encoding_that_has_to_be_guessed_is_refused(tmp_path, name, flags, said):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(name=name, flags=flags))) == [said]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (0o120777, "is a symbolic link"),
        (0o010644, "is neither a file nor a folder: its type is 10000"),
        (0o020666, "is neither a file nor a folder: its type is 20000"),
        (0o140644, "is neither a file nor a folder: its type is 140000"),
        (0o040755, "says that it is a folder"),
    ],
)
def test_what_is_no_plain_file_is_refused(tmp_path, mode, said):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(mode=mode))) == [f"'demo/a.py' {said}"]


def test_a_folder_that_holds_bytes_is_refused(tmp_path):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(name="demo/"))) == [
        f"'demo/' is a folder, yet it holds {SIZE} bytes"
    ]


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([Piece(name="a"), Piece(name="a")], "'a' is there 2 times"),
        ([Piece(name="a/", data=b""), Piece(name="a/", data=b"")], "'a/' is there 2 times"),
        ([Piece(name="Demo/A.py"), Piece(name="demo/a.py")], "'Demo/A.py' and 'demo/a.py' differ only in case"),
        ([Piece(name="straße", flags=0x800), Piece(name="STRASSE")], "'straße' and 'STRASSE' differ only in case"),
        ([Piece(name="a"), Piece(name="a/b.py")], "'a' is a file, and a folder of other members"),
        ([Piece(name="a"), Piece(name="a/b/c/d.py")], "'a' is a file, and a folder of other members"),
        ([Piece(name="a"), Piece(name="a/", data=b"")], "'a' is a file, and a folder of other members"),
    ],
)
def test_members_that_cannot_both_be_installed_are_refused(tmp_path, pieces, said):
    (fact,) = refused(craft_zip(tmp_path / "a.zip", *pieces))
    assert fact.removesuffix(" or normal form") == said


def test_members_that_differ_only_in_their_normal_form_are_refused(tmp_path):
    names = [unicodedata.normalize(form, "demo/é.py") for form in ("NFC", "NFD")]
    (fact,) = refused(craft_zip(tmp_path / "a.zip", *(Piece(name=name, flags=0x800) for name in names)))
    assert fact.endswith("differ only in case or normal form")


def test_folders_beside_their_files_are_fine(tmp_path):
    pieces = [Piece(name="demo/", data=b"", mode=0o040755), Piece(name="demo/a/", data=b""), Piece(name="demo/a/b.py")]
    assert [member.name for member in read_directory(craft_zip(tmp_path / "a.zip", *pieces))] == ["demo/a/b.py"]


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (Piece(flags=0x1), "'demo/a.py' is encrypted"),
        (Piece(flags=0x41), "'demo/a.py' is encrypted"),
        (Piece(flags=0x2000), "'demo/a.py' is encrypted"),
        (Piece(flags=0x20), "'demo/a.py' has flags 0x20 that no wheel needs"),
        (Piece(method=12, packed=b"?"), "'demo/a.py' is compressed by method 12, expected 0 or 8"),
        (Piece(method=9, packed=b"?"), "'demo/a.py' is compressed by method 9, expected 0 or 8"),
        (Piece(method=0, packed=b"?"), "'demo/a.py' is stored, yet 54 bytes take 1"),
        (Piece(central={"disk": 1}), "'demo/a.py' is on another volume"),
        (Piece(comment=b"#"), "'demo/a.py' has a comment, which no wheel needs"),
        (Piece(central={"version": 64}), "'demo/a.py' needs version 6.4 of the zip format, the last is 6.3"),
    ],
)
def test_a_member_that_no_wheel_has_is_refused(tmp_path, piece, said):
    assert refused(craft_zip(tmp_path / "a.zip", piece))[0] == said


@pytest.mark.parametrize(
    ("local", "said"),
    [
        ({"flags": 0x800}, "flags 2048, the directory 0"),
        ({"flags": 0x8}, "flags 8, the directory 0"),
        ({"method": 0}, "compression method 0, the directory 8"),
        ({"crc32": 7}, f"CRC 7, the directory {CRC}"),
        ({"crc32": 0}, f"CRC 0, the directory {CRC}"),
        ({"packed": 3}, f"compressed size 3, the directory {PACKED}"),
        ({"size": 10**6}, f"size 1000000, the directory {SIZE}"),
    ],
)
def test_a_header_that_disagrees_with_the_directory_is_refused(tmp_path, local, said):
    path = craft_zip(tmp_path / "a.zip", Piece(local=local), Piece(name="demo/b.py"))
    assert refused(path) == [f"'demo/a.py': its own header says {said}"]


def test_times_versions_and_how_hard_the_writer_tried_may_differ(tmp_path):
    assert len(read_directory(craft_zip(tmp_path / "a.zip", Piece(local={"version": 10, "flags": 2})))) == 1


@pytest.mark.parametrize("name", ["evil.py", "demo/longer_than_it_was.py", b"\xff"])
def test_a_member_that_calls_itself_something_else_is_refused(tmp_path, name):
    shown = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    assert refused(craft_zip(tmp_path / "a.zip", Piece(own_name=name))) == [
        f"'demo/a.py' is {shown!r} in its own header"
    ]


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (later(DESCRIPTOR64), "the descriptor behind its data is not what the directory says"),
        (wide(flags=8, behind=DESCRIPTOR), "the descriptor behind its data is not what the directory says"),
        (later(struct.pack("<3L", 1, PACKED, SIZE)), "the descriptor behind its data is not what the directory says"),
        (later(b""), "the descriptor behind its data is not what the directory says"),
        (later(DESCRIPTOR + b"!"), "the descriptor behind its data is not what the directory says"),
        (later(DESCRIPTOR, local={"size": 1}), f"its own header says size 1, the directory {SIZE}"),
    ],
)
def test_a_descriptor_that_disagrees_with_the_directory_is_refused(tmp_path, piece, said):
    assert refused(craft_zip(tmp_path / "a.zip", piece, Piece(name="b.py"))) == [f"'demo/a.py': {said}"]


def test_a_stored_member_whose_end_has_to_be_searched_for_is_refused(tmp_path):
    # A tool that reads from the front would take a descriptor and a header inside the data for the real ones.
    piece = later(struct.pack("<3L", CRC, SIZE, SIZE), method=zipfile.ZIP_STORED)
    assert refused(craft_zip(tmp_path / "a.zip", piece)) == [
        "'demo/a.py' is stored, and says only behind its data how long it is"
    ]


NOT_CALLED_FOR = "'demo/a.py': its zip64 field is not what its other numbers call for"


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (wide(central_extra=b""), NOT_CALLED_FOR),
        (wide(central_extra=zip64(SIZE)), NOT_CALLED_FOR),
        (wide(central_extra=zip64(SIZE, PACKED, 0)), NOT_CALLED_FOR),
        (wide(central={}, local={}, central_extra=b"", local_extra=zip64(SIZE, 3)), NOT_CALLED_FOR),
        (wide(central={}, central_extra=b"", local={"size": FULL}), NOT_CALLED_FOR),
        (wide(central_extra=zip64(SIZE, PACKED) * 2), "'demo/a.py' has two zip64 fields"),
        (Piece(central_extra=b"\1\0\x09\0abc"), "'demo/a.py' has broken extra fields"),
        (Piece(local_extra=b"\1"), "'demo/a.py' has broken extra fields"),
        (Piece(central_extra=b"up\6\0\1\0\0\0\0b"), "'demo/a.py' has a second name"),
        (Piece(local_extra=b"up\6\0\1\0\0\0\0b"), "'demo/a.py' has a second name"),
    ],
)
def test_extra_fields_that_can_be_read_in_two_ways_are_refused(tmp_path, piece, said):
    assert said in refused(craft_zip(tmp_path / "a.zip", piece))


def test_a_zip64_size_that_the_headers_do_not_share_is_refused(tmp_path):
    path = craft_zip(tmp_path / "a.zip", wide(local_extra=zip64(SIZE + 1, PACKED)))
    assert refused(path) == [f"'demo/a.py': its own header says size {SIZE + 1}, the directory {SIZE}"]


def test_members_that_overlap_are_refused(tmp_path):
    # The way to a bomb of petabytes: many members that share one run of compressed bytes.
    path = craft_zip(tmp_path / "a.zip", Piece(name="a"), Piece(name="a", central={"start": 0}))
    assert any("bytes into what follows it" in fact for fact in refused(path))
    longer = {"packed": PACKED + 10}
    path = craft_zip(tmp_path / "b.zip", Piece(name="a", central=longer, local=longer), Piece(name="b"))
    assert refused(path) == ["'a' reaches 10 bytes into what follows it"]


def test_a_member_outside_of_the_file_is_refused(tmp_path):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(central={"start": 10**6})))[1:] == [
        "'demo/a.py' has no header at 1000000"
    ]


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"before": b"#!/bin/sh\n"}, "10 bytes come before its first member"),
        ({"behind": b"!"}, "1 bytes follow its end record"),
        ({"comment": b"abc", "behind": b"PK\5\6"}, "4 bytes follow its end record"),
        ({"behind": b"PK\5\6" + bytes(18)}, "its directory ends at 0, its end record begins at 127"),
        ({"end": {"members": 2, "here": 2}}, "its end record counts 2 members, its directory has 1"),
        ({"end": {"members": 0, "here": 0}}, "its end record counts 0 members, its directory has more"),
        ({"end": {"here": 0}}, "it is one of several volumes"),
        ({"end": {"disk": 1}}, "it is one of several volumes"),
        ({"end": {"start": 0}}, "its directory ends at 55, its end record begins at 105"),
        ({"end": {"length": 0, "here": 0, "members": 0}}, "its directory ends at 50, its end record begins at 105"),
        ({"end": {"start": 51, "length": 54}}, "its directory breaks off in line 1"),
        ({"end": {"start": 104, "length": 1}}, "its directory breaks off in line 1"),
        ({"end": {"members": 0xFFFF, "here": 0xFFFF}}, "its end record leads to a zip64 record that is not there"),
        ({"end": {"start": FULL}}, "its end record leads to a zip64 record that is not there"),
        ({"end64": {"at": 0}}, "its zip64 end record is not where it has to be, at 105"),
        ({"end64": {"disks": 2}}, "it is one of several volumes"),
        ({"end64": {"members": 2, "here": 2}}, "its end records disagree: 1 and, in zip64, 2"),
        ({"end64": {"start": 0}}, "its end records disagree: 50 and, in zip64, 0"),
    ],
)
def test_an_archive_whose_frame_does_not_fit_is_refused(tmp_path, layout, said):
    assert refused(craft_zip(tmp_path / "a.zip", Piece(), **layout)) == [said]


@pytest.mark.parametrize("claimed", [{"members": 100_001, "here": 100_001}, {"start": 83, "length": 32 << 20 | 1}])
def test_a_directory_that_would_fill_the_memory_is_not_read(tmp_path, claimed):
    path = craft_zip(
        tmp_path / "a.zip",
        Piece(),
        end={"members": 0xFFFF, "here": 0xFFFF, "start": FULL, "length": FULL},
        end64=claimed,
    )
    (fact,) = refused(path)
    assert fact.endswith("bytes of directory, more than any wheel")


def test_bytes_between_members_are_refused(tmp_path):
    path = craft_zip(tmp_path / "a.zip", Piece(behind=b"hidden"), Piece(name="demo/b.py", behind=b"!"))
    assert refused(path) == [
        "6 bytes behind 'demo/a.py' belong to no member",
        "1 bytes behind 'demo/b.py' belong to no member",
    ]


def test_a_member_that_the_directory_does_not_know_is_refused(tmp_path):
    path = craft_zip(tmp_path / "a.zip", Piece(), Piece(name="demo/hidden.py"))
    data = path.read_bytes()
    second, end = data.rindex(b"PK\1\2"), data.index(b"PK\5\6")
    start = data.index(b"PK\1\2")
    frame = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, second - start, start, 0)
    path.write_bytes(data[:second] + frame)
    assert end > second
    assert refused(path) == ["55 bytes behind 'demo/a.py' belong to no member"]


def test_a_second_archive_before_or_behind_is_refused(tmp_path):
    one = craft_zip(tmp_path / "one.zip", Piece()).read_bytes()
    two = craft_zip(tmp_path / "two.zip", Piece(name="demo/other.py"))
    path = tmp_path / "both.zip"
    path.write_bytes(one + two.read_bytes())
    assert refused(path) == ["its directory ends at 113, its end record begins at 240"]
    adjusted = craft_zip(tmp_path / "adjusted.zip", Piece(name="demo/other.py"), before=one)
    assert refused(adjusted) == [f"{len(one)} bytes come before its first member"]


@pytest.mark.parametrize("behind", [b"", b"!", b"?" * 60_000])
def test_another_archive_in_the_comment_is_refused(tmp_path, behind):
    inner = craft_zip(tmp_path / "inner.zip", Piece(name="demo/other.py")).read_bytes()
    path = craft_zip(tmp_path / "a.zip", Piece(), comment=inner + behind)
    assert refused(path) == ["its comment holds what may be another zip"]


def test_an_archive_stored_in_an_archive_is_data(tmp_path):
    inner = craft_zip(tmp_path / "inner.zip", Piece()).read_bytes()
    (member,) = read_directory(craft_zip(tmp_path / "a.zip", Piece(name="demo/i.zip", data=inner, method=0)))
    assert member.size_bytes == len(inner)


@pytest.mark.parametrize("data", [b"not a zip", b"PK\5\6", b"PK\5\6" + bytes(10)])
def test_what_is_no_zip_is_refused(tmp_path, data):
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert refused(path) == ["it has no end record of a zip: it is something else, or cut off"]


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    path.touch()
    assert refused(path) == ["it is empty"]


def test_a_download_that_was_cut_off_is_refused(tmp_path):
    path = craft_zip(tmp_path / "a.zip", Piece(), comment=b"abc")
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert len(refused(path)) == 1


def test_all_that_is_wrong_is_said_at_once_but_not_without_end(tmp_path):
    pieces = [Piece(name=f"../{number}", flags=1) for number in range(30)]
    facts = refused(craft_zip(tmp_path / "a.zip", *pieces))
    assert (len(facts), facts[-1]) == (21, "and 40 more")
    with pytest.raises(InputError, match="not a wheel that can ship") as caught:
        read_directory(craft_zip(tmp_path / "b.zip", Piece(name="/a"), Piece(name="b", flags=1)))
    assert caught.value.facts == ("'b' is encrypted", "'/a' points outside the wheel")
    assert "invoke lock" in caught.value.hint


def content(path):
    (member,) = read_directory(path)
    with path.open("rb") as stream:
        return b"".join(inflated(stream, member))


def deflated(data):
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        (Piece(central={"crc32": 7}, local={"crc32": 7}), f"expected CRC 00000007, got {CRC:08x}"),
        (Piece(central={"size": 10}, local={"size": 10}), "holds more than the 10 bytes it says"),
        (Piece(central={"size": 60}, local={"size": 60}), f"expected 60 bytes, got {SIZE}"),
        (Piece(packed=b"\xff\xff"), "is no deflate stream: Error -3 while decompressing data: invalid block type"),
        (Piece(packed=deflated(TEXT)[:-1]), "its deflate stream has no end"),
        (Piece(packed=b""), "its deflate stream has no end"),
        (Piece(packed=deflated(TEXT) + b"hidden"), "has bytes behind the end of its deflate stream"),
    ],
)
def test_content_that_is_not_what_the_directory_says_is_refused(tmp_path, piece, said):
    with pytest.raises(ValueError, match=r"demo/a\.py") as caught:
        content(craft_zip(tmp_path / "a.zip", piece))
    assert str(caught.value).removeprefix("'demo/a.py'").lstrip(": ") == said


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_large_content_comes_in_pieces(tmp_path, method):
    data = bytes(range(256)) * 12_000
    path = craft_zip(tmp_path / "a.zip", Piece(data=data, method=method))
    (member,) = read_directory(path)
    with path.open("rb") as stream:
        pieces = list(inflated(stream, member))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1 << 20


def test_a_member_that_inflates_beyond_what_it_says_stops_at_once(tmp_path):
    bomb = deflated(bytes(20_000_000))
    said = {"size": 1000, "crc32": zlib.crc32(bytes(1000))}
    path = craft_zip(tmp_path / "a.zip", Piece(packed=bomb, central=said, local=said))
    tracemalloc.start()
    with pytest.raises(ValueError, match="holds more than the 1000 bytes it says"):
        content(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300_000
