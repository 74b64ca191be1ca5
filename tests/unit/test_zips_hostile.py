"""What no example thinks of: any wheel that is built is read as zipfile reads it, and no damage is read otherwise."""

import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build.errors import InputError
from build.wheels.surveying import survey
from build.zips.directory import read_directory
from tests.builders import make_wheel
from tests.fuzz import fuzz_zips

PARTS = st.text("aA_- .éß日", min_size=1, max_size=8)
FILES = st.dictionaries(PARTS.map(lambda part: f"demo/x{part}.py"), st.binary(max_size=2000), max_size=6)
quickly = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow], database=None)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return make_wheel(folder, "demo", files={"demo/a.py": "x = 1\n" * 9, "demo/größe.py": ""}).path


@quickly
@given(files=FILES, method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_any_wheel_that_a_tool_writes_is_read_as_zipfile_reads_it(files, method):
    with tempfile.TemporaryDirectory() as name:
        path = make_wheel(Path(name), "demo", files=files).path
        with zipfile.ZipFile(path) as archive:
            content = {info.filename: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, data in content.items():
                archive.writestr(member, data)
            expected = [(i.filename, i.compress_type, i.CRC, i.compress_size, i.file_size) for i in archive.infolist()]
        if len({member.casefold() for member in content}) < len(content):
            return
        members = read_directory(path)
        assert [(m.name, *m[2:6]) for m in members] == expected
        assert sorted(m.name for m in survey(path, path.parent).members) == sorted(content)


@settings(quickly, max_examples=120)
@given(data=st.data())
def test_a_wheel_with_one_byte_changed_is_refused_or_read_as_everybody_reads_it(wheel, data):
    whole = wheel.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, fuzz_zips.NAME)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
        fuzz_zips.check(path, path.parent)


@quickly
@given(data=st.binary(max_size=400))
def test_any_bytes_at_all_are_refused(data):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, fuzz_zips.NAME)
        path.write_bytes(data)
        with pytest.raises(InputError):
            survey(path, path.parent)


def test_the_fuzzer_finds_nothing_in_a_short_run():
    counts = fuzz_zips.run(seed=3, seconds=20, most=120)
    assert counts[True] > 0
    assert counts[False] > counts[True]


def test_the_fuzzer_would_notice_a_reader_that_believes_everything(tmp_path, wheel, monkeypatch):
    members = read_directory(wheel)
    monkeypatch.setattr(fuzz_zips, "read_directory", lambda _: members[1:])
    path = tmp_path / fuzz_zips.NAME
    path.write_bytes(wheel.read_bytes())
    with pytest.raises(AssertionError, match="zipfile lists something else"):
        fuzz_zips.check(path, tmp_path)
