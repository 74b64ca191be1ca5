import json

import pytest

from build.digest import Digest
from build.errors import FindingsError, InputError
from build.store.objects import Store
from build.verbs import store as verbs
from tests.builders import write_files

WHEEL = b"wheel"


@pytest.fixture
def root(tmp_path):
    return write_files(tmp_path, {"slipway.toml": 'name = "shop"\n'})


@pytest.fixture
def wheel(root):
    store = Store(root / ".artifacts" / "store")
    with store.scratch() as folder:
        (folder / "draft").write_bytes(WHEEL)
        return store.keep(folder / "draft", store.wheel(Digest.of_bytes(WHEEL), "a-1-py3-none-any.whl"))


def test_show_tells_programs_how_much_there_is_of_what(root, wheel, capsys):
    verbs.show(root, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(root / ".artifacts" / "store")
    assert told["kinds"]["wheels"] == {"count": 1, "size_bytes": 5, "oldest_days": 0}
    assert told["kinds"]["artifacts"]["count"] == 0


def test_show_has_a_row_for_each_kind_and_one_for_all(root, wheel, capsys):
    verbs.show(root, as_json=False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert rows[-1][:2] == ["all", "1"]
    assert ["wheels", "1"] in [row[:2] for row in rows]


def test_verify_says_so_when_all_is_well(root, wheel, capsys):
    verbs.verify(root)
    assert "is as it was made" in capsys.readouterr().err
    assert wheel.exists()


def test_verify_ends_with_1_once_what_is_damaged_is_gone(root, wheel):
    wheel.write_bytes(b"whool")
    with pytest.raises(FindingsError, match="1 object of the store") as caught:
        verbs.verify(root)
    assert caught.value.exit_code == 1
    assert wheel.name in caught.value.facts[0]
    assert not wheel.exists()
    verbs.verify(root)


def test_prune_keeps_what_is_young_and_removes_it_when_told_to(root, wheel, capsys):
    verbs.prune(root, keep_days=30, dry_run=False)
    verbs.prune(root, keep_days=0, dry_run=True)
    assert "would free 0.0 kB" in capsys.readouterr().err
    assert wheel.exists()
    verbs.prune(root, keep_days=0, dry_run=False)
    assert not wheel.exists()


def test_prune_removes_nothing_while_the_settings_cannot_be_read(root, wheel):
    (root / "slipway.toml").write_text("nam = 1")
    with pytest.raises(InputError):
        verbs.prune(root, keep_days=0, dry_run=False)
    assert wheel.exists()
