import zipfile

import pytest

from build.errors import InputError
from build.packaging.archives import write_archive
from build.packaging.wheels import read_metadata, read_tree
from tests.builders import make_wheel


def test_members_are_copied_byte_for_byte(tmp_path):
    wheel = make_wheel(
        tmp_path, "demo", files={"demo/__init__.py": "x = 1\n" * 500, "demo/data.bin": bytes(range(256))}
    )
    write_archive(read_tree(wheel), tmp_path / "out.zip")
    with zipfile.ZipFile(wheel.path) as before, zipfile.ZipFile(tmp_path / "out.zip") as after:
        assert after.testzip() is None
        assert {n: before.read(n) for n in before.namelist()} == {n: after.read(n) for n in after.namelist()}
        assert after.getinfo("demo/__init__.py").compress_size == before.getinfo("demo/__init__.py").compress_size


def test_purelib_and_platlib_unfold_and_scripts_headers_and_data_stay_out(tmp_path):
    files = {
        f"demo-1.0.data/{scheme}/demo_{scheme}.txt": "x"
        for scheme in ("purelib", "platlib", "scripts", "headers", "data")
    }
    tree = read_tree(make_wheel(tmp_path, "demo", files=files))
    assert [entry.path for entry in tree if "dist-info" not in entry.path] == ["demo_platlib.txt", "demo_purelib.txt"]


def test_bytecode_that_a_wheel_brings_stays_out_unless_it_is_a_module_of_its_own(tmp_path):
    files = {"demo/a.py": "", "demo/__pycache__/a.cpython-313.pyc": "stale", "__pycache__/b.pyc": "", "demo/c.pyc": "c"}
    tree = read_tree(make_wheel(tmp_path, "demo", files=files))
    assert [entry.path for entry in tree if "dist-info" not in entry.path] == ["demo/a.py", "demo/c.pyc"]


def test_metadata_says_what_a_wheel_needs(tmp_path):
    wheel = make_wheel(tmp_path, "demo", requires=["six", 'toml; extra == "x"'])
    said = read_metadata(wheel.path)
    assert (said.name, said.version, said.requires) == ("demo", "1.0", ("six", 'toml; extra == "x"'))


@pytest.mark.parametrize(
    ("path", "said"),
    [("../evil.py", "points outside"), ("/etc/evil", "points outside"), ("a/../../evil", "points outside")],
)
def test_a_path_that_leaves_the_wheel_is_refused(tmp_path, path, said):
    with pytest.raises(InputError) as caught:
        read_tree(make_wheel(tmp_path, "demo", files={path: "x"}))
    assert said in caught.value.facts[0]


def test_a_symbolic_link_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, "demo")
    link = zipfile.ZipInfo("demo/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(wheel.path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError) as caught:
        read_tree(wheel)
    assert "symbolic link" in caught.value.facts[0]


def test_an_unusual_compression_is_refused(tmp_path):
    wheel = make_wheel(tmp_path, "demo")
    with zipfile.ZipFile(wheel.path, "a", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("demo/packed.py", "x")
    with pytest.raises(InputError) as caught:
        read_tree(wheel)
    assert "compressed by method 12" in caught.value.facts[0]


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "broken-1.0-py3-none-any.whl"
    path.write_bytes(b"not a zip")
    with pytest.raises(InputError, match="is not a wheel"):
        read_metadata(path)
