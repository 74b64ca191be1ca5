"""`lock --check` claims what it looked at, and no more."""

import shutil
from pathlib import Path

import pytest

from build.errors import InputError
from build.store.objects import Store
from build.verbs.make import lock
from tests.builders import lock_line, make_wheel, write_files


@pytest.fixture
def wheel(tmp_path):
    return make_wheel(tmp_path / "wheels", "six", "1.16.0", requires=["more"])


@pytest.fixture
def root(tmp_path, wheel):
    return write_files(
        tmp_path,
        {
            "slipway.toml": 'name = "shop"\n[defaults]\nruntime = "python3.13"\n',
            "functions/orders/function.toml": 'description = "x"\n',
            "functions/orders/src/app.py": "",
            "functions/orders/requirements.in": "six\n",
            "functions/orders/requirements.txt": lock_line(wheel),
        },
    )


def checked(root):
    lock(root, check=True, upgrade=False, function="", layer="")


def test_whose_wheels_are_not_here_is_told(root, capsys):
    checked(root)
    said = capsys.readouterr().err
    assert "the locks of 1 folders pin what they want, in every env" in said
    assert "`invoke build` tells for 1 of them" in said


def test_what_the_wheels_that_are_here_need_is_looked_at(root, wheel):
    store = Store(root / ".artifacts/store")
    with store.scratch() as folder:
        store.keep(Path(shutil.copy(wheel.path, folder / "draft")), store.wheel(wheel.digest, wheel.path.name))
    with pytest.raises(InputError, match="METADATA disagree") as caught:
        checked(root)
    assert "more is missing, wanted by six" in caught.value.facts[0]
