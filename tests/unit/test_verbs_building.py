"""What a build leaves behind for later: bills, what `diff` compares with, an outcome to be told again."""

import json
import sys

import pytest

from build.errors import InputError
from build.project import snapshot as snapshots
from build.verbs.building import build
from build.verbs.look import diff
from tests.builders import write_files

HERE = f"python3.{sys.version_info.minor}"  # its interpreter is certainly there
APP = "def handler(event, context):\n    return {0}\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with two functions."""
    monkeypatch.setattr(snapshots, "_RACY_NS", 0)
    files = {f"functions/{name}/function.toml": f'description = "{name}"\n' for name in ("greeting", "orders")}
    sources = {f"functions/{name}/src/app.py": APP.format(f"'{name}'") for name in ("greeting", "orders")}
    settings = {"slipway.toml": f'name = "shop"\n[defaults]\nruntime = "{HERE}"\n'}
    return write_files(tmp_path, {**settings, **files, **sources})


@pytest.fixture
def made(root, capsys):
    def run(only=""):
        capsys.readouterr()
        build(root, "local", as_json=True, only=only)
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def changed(root, capsys):
    def run():
        capsys.readouterr()
        diff(root, "local", "", old="", new="", as_json=True)
        return set(json.loads(capsys.readouterr().out)["artifacts"])

    return run


def change(root, name, text):
    write_files(root, {f"functions/{name}/src/app.py": APP.format(f"'{name} {text}'")})


def bills(root):
    return sorted(path.name.partition(".")[0] for path in (root / ".artifacts/sbom").glob("*/*.cdx.json"))


def test_a_build_of_some_functions_leaves_the_others_bills(root, made):
    made()
    made("orders")
    assert bills(root) == ["greeting", "orders"]


def test_a_bill_that_is_gone_or_edited_comes_back_with_the_next_build(root, made, monkeypatch):
    made()
    bill = root / ".artifacts/sbom/functions/orders.cdx.json"
    right = bill.read_text("utf-8")
    bill.unlink()
    made()
    assert bill.read_text("utf-8") == right
    bill.write_text(right.replace("slipway", "another"), "utf-8")
    made()
    assert bill.read_text("utf-8") == right
    monkeypatch.setattr("build.verbs.building._made", lambda *_: pytest.fail("built though nothing changed"))
    made()


def test_diff_does_not_take_a_build_of_some_functions_for_one_of_all(root, made, changed):
    made()
    change(root, "orders", "better")
    made("orders")
    assert changed() == {"functions/orders"}
    made()
    change(root, "greeting", "better")
    made("greeting")
    assert changed() == {"functions/greeting"}


def test_diff_passes_over_builds_whose_artifacts_were_pruned(root, made, changed):
    made()
    change(root, "greeting", "better")
    change(root, "orders", "better")
    _, between = (row["path"] for row in made()["functions"])
    change(root, "orders", "best")
    made()
    assert changed() == {"functions/orders"}
    (root / between).unlink()
    assert changed() == {"functions/greeting", "functions/orders"}


def test_diff_says_so_when_all_other_builds_were_pruned(root, made, changed):
    _, orders = (row["path"] for row in made()["functions"])
    change(root, "orders", "better")
    made()
    (root / orders).unlink()
    with pytest.raises(InputError, match="no other build to compare with"):
        changed()


def test_diff_of_two_zips_refuses_a_function(root, made):
    old, new = (row["path"] for row in made()["functions"])
    with pytest.raises(InputError, match="compared as a whole"):
        diff(root, "local", "orders", old=old, new=new, as_json=False)
