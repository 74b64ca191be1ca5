import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.locking.writing import write_locks
from tests.builders import (
    ARM,
    X86,
    function_spec,
    layer_spec,
    lock_line,
    make_wheel,
    make_workspace,
    write_files,
)


@pytest.fixture
def six(package_index):
    return make_wheel(package_index, "six", "1.16.0")


def workspace_of(tmp_path, files, name="orders"):
    folder = write_files(tmp_path / "functions" / name, files)
    return make_workspace(tmp_path, functions=(function_spec(folder),))


def test_a_folder_without_requirements_wants_nothing(tmp_path):
    (lock,) = read_locks(workspace_of(tmp_path, {"src/app.py": ""})).values()
    assert lock.selected(X86) == ()


def test_a_lock_that_meets_every_wish_is_current(tmp_path, six):
    workspace = workspace_of(tmp_path, {"requirements.in": "six>=1.15\n", "requirements.txt": lock_line(six)})
    assert [pin.name for pin in read_locks(workspace)["functions/orders"].selected(X86)] == ["six"]


@pytest.mark.parametrize(
    ("wish", "said"),
    [("six>=2", "expected six>=2, got six==1.16.0"), ("toml", "expected toml, got no pin for python3.13 on x86_64")],
)
def test_a_wish_that_no_pin_meets_makes_the_lock_stale(tmp_path, six, wish, said):
    workspace = workspace_of(tmp_path, {"requirements.in": f"{wish}\n", "requirements.txt": lock_line(six)})
    with pytest.raises(InputError) as caught:
        read_locks(workspace)
    assert caught.value.facts == (f"functions/orders/requirements.txt: {said}",)
    assert "invoke lock" in caught.value.hint


@pytest.mark.parametrize("wish", ["six", "six>=1.16", "six<3"])
def test_a_pin_of_a_pre_release_meets_a_wish_that_does_not_ask_for_one(tmp_path, package_index, wish):
    """Whoever locked it was asked for it: `--pre`, or there is nothing else."""
    candidate = make_wheel(package_index, "six", "2.0rc1")
    files = {"requirements.in": f"{wish}\n", "requirements.txt": lock_line(candidate)}
    assert read_locks(workspace_of(tmp_path, files))["functions/orders"].pins[0].version == "2.0rc1"


def test_a_missing_lock_is_told(tmp_path):
    with pytest.raises(InputError) as caught:
        read_locks(workspace_of(tmp_path, {"requirements.in": "six\n"}))
    assert "got no file" in caught.value.facts[0]


def test_problems_of_all_folders_come_together(tmp_path):
    one = function_spec(write_files(tmp_path / "functions/one", {"requirements.txt": "six\n"}))
    two = function_spec(write_files(tmp_path / "functions/two", {"requirements.in": "six\n"}))
    with pytest.raises(InputError) as caught:
        read_locks(make_workspace(tmp_path, functions=(one, two)))
    assert [fact.split("/")[1] for fact in caught.value.facts] == ["one", "two"]


def test_a_function_and_its_layer_that_pin_different_versions_are_told(tmp_path, six):
    newer = make_wheel(tmp_path, "six", "1.17.0")
    layer = layer_spec(write_files(tmp_path / "layers/data", {"requirements.txt": lock_line(six)}))
    folder = write_files(tmp_path / "functions/orders", {"requirements.txt": lock_line(newer)})
    workspace = make_workspace(tmp_path, functions=(function_spec(folder, layers=("data",)),), layers=(layer,))
    with pytest.raises(InputError) as caught:
        read_locks(workspace)
    assert caught.value.facts == ("functions/orders: six is 1.16.0 in layers/data and 1.17.0 in functions/orders",)


def test_markers_are_evaluated_for_the_target_and_not_for_this_machine(tmp_path, six):
    arm_only = make_wheel(tmp_path, "arm-only")
    new_only = make_wheel(tmp_path, "new-only")
    windows = make_wheel(tmp_path, "windows-only")
    text = (
        lock_line(six)
        + lock_line(arm_only, marker="platform_machine == 'aarch64'")
        + lock_line(new_only, marker="python_full_version >= '3.12'")
        + lock_line(windows, marker="sys_platform == 'win32'")
    )
    (lock,) = read_locks(workspace_of(tmp_path, {"requirements.txt": text})).values()
    assert [pin.name for pin in lock.selected(ARM)] == ["arm-only", "new-only", "six"]
    assert [pin.name for pin in lock.selected(X86)] == ["new-only", "six"]


def test_a_distribution_pinned_twice_for_a_target_is_told(tmp_path, six, package_index):
    other = make_wheel(package_index, "six", "1.17.0")
    text = (
        lock_line(six) + lock_line(other, marker="python_version >= '3.9'") + lock_line(other, marker="os_name == 'nt'")
    )
    with pytest.raises(InputError) as caught:
        read_locks(workspace_of(tmp_path, {"requirements.in": "six\n", "requirements.txt": text}))
    assert caught.value.facts == (
        "functions/orders/requirements.txt: expected one pin of six for python3.13 on x86_64, got 1.16.0, 1.17.0",
    )


def test_a_folder_to_lock_that_does_not_exist_is_told_with_the_near_one(tmp_path):
    with pytest.raises(InputError) as caught:
        write_locks([workspace_of(tmp_path, {"requirements.in": "six\n"})], ["functions/ordres", "layers/x"])
    assert caught.value.facts == (
        "functions/ordres: expected a function or layer; did you mean `functions/orders`?",
        "layers/x: expected a function or layer",
    )
