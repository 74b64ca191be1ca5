"""Which files of a folder count for a Dockerfile."""

import pytest

from build.images.contexts import digest_of
from tests.builders import write_files

FILES = {"a.txt": "a", "src/app.py": "x", "src/deep/b.txt": "b", "tests/t.py": "t", "notes.md": "n"}


def counts(tmp_path, ignored: str, path: str, *, beside: dict[str, str] | None = None) -> bool:
    """Whether another content of ``path`` gives another digest."""
    folder = write_files(tmp_path / "context", {**FILES, ".dockerignore": ignored, **(beside or {})})
    before = digest_of(folder)
    (folder / path).write_text("something else")
    return digest_of(folder) != before


@pytest.mark.parametrize(
    ("ignored", "path", "expected"),
    [
        ("", "tests/t.py", True),
        ("tests\n", "tests/t.py", False),
        ("/tests/\n", "tests/t.py", False),
        ("# tests\n", "tests/t.py", True),
        ("*\n!src\n", "src/deep/b.txt", True),
        ("*\n!src\n", "a.txt", False),
        ("*.txt\n", "a.txt", False),
        ("*.txt\n", "src/deep/b.txt", True),
        ("**/*.txt\n", "src/deep/b.txt", False),
        ("**/*.txt\n", "a.txt", False),
        ("src/**\n!src/app.py\n", "src/app.py", True),
        ("src/**\n!src/app.py\n", "src/deep/b.txt", False),
        ("!src\nsrc\n", "src/app.py", False),
        ("note?.[lm]d\n", "notes.md", False),
        ("*.md\n[\n", "notes.md", True),
    ],
)
def test_what_is_ignored_does_not_count(tmp_path, ignored, path, expected):
    assert counts(tmp_path, ignored, path) is expected


@pytest.mark.parametrize("other", [".containerignore", "Dockerfile.dockerignore"])
def test_where_a_tool_may_read_other_rules_everything_counts(tmp_path, other):
    assert counts(tmp_path, "tests\n", "tests/t.py", beside={other: "a.txt\n"})


def test_modes_links_and_folders_count_and_times_do_not(tmp_path):
    folder = write_files(tmp_path, FILES)
    seen = [digest_of(folder)]
    (folder / "a.txt").chmod(0o755)
    seen.append(digest_of(folder))
    (folder / "link").symlink_to("a.txt")
    seen.append(digest_of(folder))
    (folder / "empty").mkdir()
    seen.append(digest_of(folder))
    assert len(set(seen)) == 4
    (folder / "a.txt").touch()
    assert digest_of(folder) == seen[-1]
