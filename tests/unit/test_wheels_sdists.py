"""What needs no build; tests/integration/test_wheels_sdists.py builds."""

import pytest
from packaging.utils import canonicalize_name

from build.errors import InputError
from build.locking.requirements import Pin
from build.model import Wheel
from build.store.objects import Store
from build.wheels.sdists import _copied, _refuse_unfit, _refuse_unprovable, content_of, is_source
from build.wheels.surveys import surveyed
from tests.builders import ARM, X86, make_wheel, write_files


def pin(**said):
    return Pin(
        **{"name": canonicalize_name("demo"), "version": "1.0", "marker": None, "sha256s": frozenset("a"), **said}
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, False),
        ("https://example.invalid/demo-1.0-py3-none-any.whl", False),
        ("https://example.invalid/demo-1.0-py3-none-any.whl?token=x#sha256=y", False),
        ("https://example.invalid/demo-1.0.tar.gz", True),
        ("https://example.invalid/archive/main.zip", True),
    ],
)
def test_what_names_an_archive_or_a_project_is_built_and_anything_else_is_fetched(tmp_path, url, expected):
    assert is_source(pin(url=url)) is expected
    assert is_source(pin(folder=tmp_path))


def test_the_key_of_a_project_is_its_content_wherever_it_is(tmp_path):
    keys = []
    for place in ("one", "two"):
        folder = write_files(tmp_path / place, {"pyproject.toml": "[project]\n", "src/demo.py": "x = 1\n"})
        keys.append(content_of(pin(folder=folder)))
    assert keys[0] == keys[1]
    (tmp_path / "two/src/demo.py").write_text("x = 2\n")
    assert content_of(pin(folder=tmp_path / "two")) != keys[0]


def test_a_copy_leaves_behind_what_earlier_builds_left(tmp_path):
    kept = {"pyproject.toml": "", "src/demo/__init__.py": "", "src/demo/build/__init__.py": "", "src/demo/.cfg": ""}
    left = {
        "build/lib/old.py": "",
        "dist/demo.whl": "",
        "demo.egg-info/x": "",
        ".venv/x": "",
        "src/__pycache__/a.pyc": "",
    }
    project = write_files(tmp_path / "demo", {**kept, **left})
    (project / "src/gone").symlink_to("nowhere")
    copy = _copied(project, tmp_path / "copy")
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == kept.keys()


def test_the_key_is_of_what_is_copied_and_of_nothing_else(tmp_path):
    shared = write_files(tmp_path / "shared", {"code.py": "x = 1\n"})
    project = write_files(tmp_path / "demo", {"pyproject.toml": "", "src/demo.py": "", ".version": "1"})
    (project / "src/linked").symlink_to("../../shared")
    key = content_of(pin(folder=project))
    left = (
        "src/.demo.py.swp",
        "src/demo.py~",
        "build/lib/demo.py",
        "dist/demo.whl",
        ".git/x",
        "src/demo.pyo",
        ".DS_Store",
    )
    write_files(project, dict.fromkeys(left, "x"))
    assert content_of(pin(folder=project)) == key
    copy = _copied(project, tmp_path / "copy")
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()} == {
        *("pyproject.toml", "src/demo.py", ".version", "src/linked/code.py")
    }
    write_files(shared, {"code.py": "x = 2\n"})
    assert content_of(pin(folder=project)) != key


def test_links_in_a_circle_end(tmp_path):
    project = write_files(tmp_path / "demo", {"a/one.py": "", "b/two.py": ""})
    for place, target in (("top", "."), ("a/b", "../b"), ("b/a", "../a")):
        (project / place).symlink_to(target)
    copy = _copied(project, tmp_path / "copy")
    assert (copy / "a/b/two.py").is_file()
    assert not (copy / "top").exists()


def test_a_source_folder_called_build_is_no_output(tmp_path):
    project = write_files(tmp_path / "demo", {"build/__init__.py": "x = 1\n"})
    assert (_copied(project, tmp_path / "copy") / "build/__init__.py").is_file()


def test_a_wheel_that_the_target_does_not_accept_is_refused(tmp_path):
    made = make_wheel(tmp_path, "demo", tag="cp313-cp313-linux_x86_64")
    wheel = Wheel(name="demo", version="1.0", path=made.path, digest=made.digest)
    survey = surveyed(wheel, Store(tmp_path / "store"))
    _refuse_unfit(wheel, survey, X86)
    with pytest.raises(InputError, match=r"which python3\.13 on arm64 does not accept"):
        _refuse_unfit(wheel, survey, ARM)


def test_every_language_that_has_no_place_is_named():
    with pytest.raises(InputError, match="needs Fortran and Rust"):
        _refuse_unprovable({"cc", "cargo", "gfortran", "f77"}, X86)
