"""What changed between two artifacts."""

import json
import subprocess
import zipfile

import pytest

from build.errors import InputError
from build.inspection.contents import read_contents
from build.inspection.differences import NOTHING, difference
from build.inspection.records import record, record_of, records, revision
from build.model import Build
from tests.artifacts import make_artifact
from tests.builders import make_wheel, make_workspace, write_files


@pytest.fixture
def between(tmp_path):
    def compare(before, after):
        zips = []
        for number, settings in enumerate((before, after)):
            wheels = [make_wheel(tmp_path / str(number), *w[:2], files=w[2]) for w in settings.pop("wheels", ())]
            zips.append(read_contents(make_artifact(tmp_path / f"{number}.zip", wheels=wheels, **settings).path))
        return difference(*zips)

    return compare


def test_equal_artifacts_have_no_difference(between):
    same = {"wheels": [("a", "1.0", {"a.py": "x"})], "src": {"app.py": "y"}}
    found = between(dict(same), dict(same))
    assert found.is_empty
    assert (found.distributions, found.files) == ((), ())


def test_distributions_are_added_removed_and_changed(between):
    found = between(
        {"wheels": [("old", "1.0", {"old.py": "x"}), ("both", "1.0", {"both.py": "x"})]},
        {"wheels": [("new", "1.0", {"new.py": "x"}), ("both", "2.0", {"both.py": "xyz"})]},
    )
    assert [(each.name, each.before, each.after) for each in found.distributions] == [
        ("both", "1.0", "2.0"),
        ("new", None, "1.0"),
        ("old", "1.0", None),
    ]
    new = found.distributions[1]
    assert new.before_bytes == 0
    assert new.after_bytes > 0


def test_a_distribution_with_the_same_version_and_other_files_has_changed(between):
    found = between({"wheels": [("a", "1.0", {"a.py": "x"})]}, {"wheels": [("a", "1.0", {"a.py": "z"})]})
    assert [(each.before, each.after) for each in found.distributions] == [("1.0", "1.0")]


def test_files_are_told_with_their_owner_and_bytes_before_and_after(between):
    found = between(
        {"wheels": [("a", "1.0", {"a.py": "x", "gone.py": "g"})], "src": {"app.py": "one"}},
        {"wheels": [("a", "1.0", {"a.py": "x"})], "src": {"app.py": "two!", "new.py": "nn"}},
    )
    told = {file.path: (file.owner, file.before_bytes, file.after_bytes) for file in found.files}
    assert told["app.py"] == ("", 3, 4)
    assert told["new.py"] == ("", None, 2)
    assert told["gone.py"] == ("a", 1, None)
    assert "a.py" not in told


def test_another_mode_is_a_change(tmp_path):
    contents = []
    for mode in (0o100644, 0o100755):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("run.sh")
            info.external_attr = mode << 16
            archive.writestr(info, "x")
        contents.append(read_contents(tmp_path / "a.zip"))
    assert [file.path for file in difference(*contents).files] == ["run.sh"]


def test_an_artifact_that_was_not_there_is_all_new_and_one_that_is_gone_all_lost(tmp_path):
    contents = read_contents(make_artifact(tmp_path / "a.zip", src={"app.py": "x" * 9}).path)
    assert difference(NOTHING, contents).unzipped_bytes == (0, 9)
    assert [file.before_bytes for file in difference(contents, NOTHING).files] == [9]


def test_a_difference_is_json(between):
    found = between({"src": {"app.py": "x"}}, {"src": {"app.py": "yy"}})
    assert json.loads(json.dumps(found.to_json()))["unzipped_bytes"] == [1, 2]


def build_of(tmp_path, text):
    return Build(functions={"orders": make_artifact(tmp_path / "a.zip", src={"app.py": text})}, layers={})


def test_builds_are_recorded_per_env_and_the_same_one_only_once(tmp_path):
    dev, prod = make_workspace(tmp_path, env="dev"), make_workspace(tmp_path, env="prod")
    one, two = build_of(tmp_path, "1"), build_of(tmp_path, "2")
    for build in (one, one, two, two, one):
        record(dev, build)
    assert records(dev) == (record_of(one), record_of(two), record_of(one))
    assert records(prod) == ()


def test_only_the_last_builds_are_kept(tmp_path):
    workspace = make_workspace(tmp_path)
    builds = [build_of(tmp_path, str(number)) for number in range(25)]
    for build in builds:
        record(workspace, build)
    assert len(records(workspace)) == 20
    assert records(workspace)[-1] == record_of(builds[-1])


@pytest.mark.parametrize("torn", ["", "[", "{}", '[{"a": "no digest"}]', "[1]"])
def test_a_torn_record_counts_as_none(tmp_path, torn):
    workspace = make_workspace(tmp_path)
    write_files(workspace.env_folder, {"builds.json": torn})
    assert records(workspace) == ()
    record(workspace, build_of(tmp_path, "1"))
    assert len(records(workspace)) == 1


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "--quiet")
    write_files(tmp_path, {"shop/functions/a/src/app.py": "old", ".artifacts/store/x": ""})
    git("add", "shop")
    git("commit", "--quiet", "-m", "first")
    git("tag", "first")
    write_files(tmp_path, {"shop/functions/a/src/app.py": "new"})
    return tmp_path


def test_a_revision_is_checked_out_beside_with_our_store_and_leaves_nothing_behind(repository):
    shop = repository / "shop"
    write_files(shop, {".artifacts/mark": "ours"})
    with revision(shop, "first") as tree:
        assert (tree / "functions/a/src/app.py").read_text() == "old"
        assert (tree / ".artifacts/mark").read_text() == "ours"
    assert not tree.exists()
    assert (shop / "functions/a/src/app.py").read_text() == "new"
    assert (shop / ".artifacts/mark").exists()
    listed = subprocess.run(["git", "worktree", "list"], cwd=shop, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_a_revision_that_git_does_not_know_is_refused(repository):
    with pytest.raises(InputError, match="neither a file nor a revision: nope"), revision(repository, "nope"):
        pass
