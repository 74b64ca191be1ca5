"""A saved plan: applied as it is, or refused with everything that speaks against it."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from build.digest import Digest
from build.errors import FindingsError, InputError
from build.release.saved import LASTS, Saved, SavedStack, moved_on, read, refuse_unless_current, write

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
HANDOFF = {"env": "prod", "name": "shop", "functions": {"orders": {"memory_mb": 256}}, "layers": {}}
PLAN = b"terraform's own"
SAVED = Saved(
    env="prod",
    commit="a" * 40,
    at=NOW.isoformat(),
    handoff=HANDOFF,
    stacks={
        "": SavedStack(plan=str(Digest.of_bytes(PLAN)), inputs="sha256:1", state='"one"'),
        "shop": SavedStack(plan="", inputs="sha256:2", state=""),
    },
    review="b" * 64,
    verdict="look",
    artifacts=({"location": "functions/orders/x.zip"},),
    files={"": PLAN},
)


def refused(saved=SAVED, **facts):
    given = {
        "env": "prod",
        "commit": "a" * 40,
        "handoff": HANDOFF,
        "inputs": {"": "sha256:1", "shop": "sha256:2"},
        "now": NOW,
    }
    with pytest.raises(FindingsError, match="nothing was changed") as caught:
        refuse_unless_current(saved, **{**given, **facts})
    assert "`invoke plan --env" in caught.value.hint
    return caught.value.facts


def test_what_was_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "prod.plan"
    digest = write(SAVED, path)
    assert read(path) == SAVED
    assert digest == Digest.of_file(path)
    assert path.stat().st_mode & 0o077 == 0, "it holds the values of environment variables"
    assert [each.name for each in path.parent.iterdir()] == ["prod.plan"]


def test_the_same_plan_is_the_same_file(tmp_path):
    assert write(SAVED, tmp_path / "one") == write(SAVED, tmp_path / "two")


@pytest.mark.parametrize(
    ("data", "said"),
    [(None, "there is no saved plan"), (b"", "is not a saved plan"), (b"{}", "is not a saved plan")],
)
def test_what_is_no_saved_plan_is_refused_with_how_to_make_one(tmp_path, data, said):
    path = tmp_path / "plan"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert "invoke plan" in caught.value.hint


def rewritten(path, member, change):
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, change(data) if name == member else data)
    return path


def test_a_plan_that_was_exchanged_in_the_file_is_refused(tmp_path):
    write(SAVED, tmp_path / "plan")
    with pytest.raises(InputError, match="was changed after it was saved"):
        read(rewritten(tmp_path / "plan", "plans/default.tfplan", lambda _: b"another"))


def test_a_file_of_another_version_is_refused(tmp_path):
    write(SAVED, tmp_path / "plan")

    def newer(data):
        return json.dumps({**json.loads(data), "schema_version": 99})

    with pytest.raises(InputError, match="another version of Slipway"):
        read(rewritten(tmp_path / "plan", "manifest.json", newer))


def test_a_file_without_what_a_plan_has_is_no_saved_plan(tmp_path):
    write(SAVED, tmp_path / "plan")
    with pytest.raises(InputError, match="is not a saved plan"):
        read(
            rewritten(tmp_path / "plan", "manifest.json", lambda _: '{"schema_version": 1, "files": [], "stacks": {}}')
        )


def test_a_plan_of_this_checkout_is_current():
    refuse_unless_current(
        SAVED,
        env="prod",
        commit="a" * 40,
        handoff=HANDOFF,
        inputs={"": "sha256:1", "shop": "sha256:2"},
        now=NOW + LASTS,
    )


def test_everything_that_speaks_against_it_is_said_at_once():
    facts = refused(env="dev", commit=None, now=NOW + LASTS + timedelta(hours=1))
    assert facts == (
        "env: expected dev, got prod",
        f"commit: expected none, got {'a' * 40}",
        "age: expected at most 72 h, got 73 h",
    )


def test_other_settings_and_other_artifacts_are_named_by_function():
    handoff = {**HANDOFF, "name": "store", "functions": {"orders": {"memory_mb": 512}, "prices": {}}}
    assert refused(handoff=handoff) == (
        "name: this checkout has another one than the plan",
        "functions/prices: only in this checkout",
        "functions/orders: this checkout has other settings than the plan",
    )


def test_other_terraform_sources_are_named_by_stack():
    assert refused(inputs={"": "sha256:1", "shop": "sha256:3"}) == (
        "stack shop: terraform/ of this checkout is another one than the plan's",
    )


def test_a_state_that_changed_since_is_no_reason_to_refuse_but_to_plan_again():
    assert moved_on(SAVED, {"": '"one"', "shop": ""}) == []
    assert moved_on(SAVED, {"": '"two"', "shop": ""}) == ["stack default: its state changed after the plan was made"]
    assert moved_on(replace(SAVED, stacks={}), {"": '"two"'}) == []
