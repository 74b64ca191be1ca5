from pathlib import Path

import pytest

from build.errors import FindingsError, InputError
from build.packaging.locks import read_locks
from build.packaging.resolve import Request, resolve
from build.packaging.store import Store
from tests.builders import ARM, X86, function_spec, lock_line, make_wheel, make_workspace, write_files


def resolved(tmp_path: Path, locks: dict[str, dict[str, str]], target=X86, say=lambda _: None):
    specs = tuple(function_spec(write_files(tmp_path / "functions" / n, f), target=target) for n, f in locks.items())
    read = read_locks(make_workspace(tmp_path, functions=specs))
    return resolve([Request(lock, target) for lock in read.values()], Store(tmp_path / "store"), on_progress=say)


def test_wheels_come_from_the_index_once_and_from_the_store_afterwards(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    said: list[str] = []
    locks = {"one": {"requirements.txt": lock_line(six)}}
    (wheel,) = resolved(tmp_path, locks, say=said.append)["functions/one", X86]
    assert wheel.digest == six.digest
    assert wheel.path.read_bytes() == six.path.read_bytes()
    six.path.unlink()
    assert resolved(tmp_path, locks, say=said.append)["functions/one", X86] == (wheel,)
    assert len(said) == 1


def test_the_wheel_of_the_targets_architecture_is_chosen(tmp_path, package_index):
    x86 = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_28_x86_64")
    arm = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_17_aarch64")
    make_wheel(package_index, "fast", tag="cp313-cp313-macosx_11_0_arm64")
    locks = {"one": {"requirements.txt": lock_line(x86, arm)}}
    assert resolved(tmp_path, locks, ARM)["functions/one", ARM][0].path.name == arm.path.name
    assert resolved(tmp_path, locks, X86)["functions/one", X86][0].path.name == x86.path.name


def test_every_distribution_without_a_wheel_for_the_target_is_named_at_once(tmp_path, package_index):
    fine = make_wheel(package_index, "fine")
    old = make_wheel(package_index, "old", tag="cp312-cp312-manylinux2014_aarch64")
    mac = make_wheel(package_index, "mac", tag="cp313-cp313-macosx_11_0_arm64")
    with pytest.raises(InputError, match="without a wheel") as caught:
        resolved(tmp_path, {"one": {"requirements.txt": lock_line(fine) + lock_line(old) + lock_line(mac)}}, ARM)
    assert caught.value.facts == (
        "functions/one: mac 1.0 on python3.13 on arm64: no wheel for it",
        "functions/one: old 1.0 on python3.13 on arm64: no wheel for it",
    )


def test_a_file_whose_digest_the_lock_does_not_name_is_refused(tmp_path, package_index):
    locked = make_wheel(tmp_path / "elsewhere", "six", "1.16.0", files={"six.py": "good"})
    make_wheel(package_index, "six", "1.16.0", files={"six.py": "evil"})
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, {"one": {"requirements.txt": lock_line(locked)}})
    assert "no wheel for it that the lock allows" in caught.value.facts[0]
    assert not list((tmp_path / "store").glob("wheels/*/*"))


def test_two_functions_may_pin_two_versions(tmp_path, package_index):
    one, two = make_wheel(package_index, "six", "1.16.0"), make_wheel(package_index, "six", "1.17.0")
    answer = resolved(tmp_path, {"a": {"requirements.txt": lock_line(one)}, "b": {"requirements.txt": lock_line(two)}})
    assert [answer[f"functions/{name}", X86][0].version for name in "ab"] == ["1.16.0", "1.17.0"]


class TestTheWalkOverMetadata:
    def test_what_a_wheel_needs_and_the_lock_misses_is_told(self, tmp_path, package_index):
        app = make_wheel(package_index, "app", requires=["needed>=1", 'win ; sys_platform == "win32"'])
        with pytest.raises(InputError) as caught:
            resolved(tmp_path, {"one": {"requirements.in": "app\n", "requirements.txt": lock_line(app)}})
        assert caught.value.facts == (
            "functions/one/requirements.txt, python3.13 on x86_64: needed>=1 is missing, wanted by app",
        )

    def test_what_is_locked_and_nothing_wants_any_more_is_told(self, tmp_path, package_index):
        app, left_over = make_wheel(package_index, "app"), make_wheel(package_index, "left-over")
        files = {"requirements.in": "app\n", "requirements.txt": lock_line(app) + lock_line(left_over)}
        with pytest.raises(InputError, match="METADATA disagree") as caught:
            resolved(tmp_path, {"one": files})
        assert "left-over 1.0 is locked, but nothing wants it" in caught.value.facts[0]

    def test_extras_and_markers_of_the_target_are_followed(self, tmp_path, package_index):
        app = make_wheel(
            package_index,
            "app",
            requires=[
                'quick ; extra == "fast"',
                'arm ; platform_machine == "aarch64"',
                'old ; python_version < "3.12"',
            ],
        )
        quick, arm = make_wheel(package_index, "quick"), make_wheel(package_index, "arm")
        text = lock_line(app) + lock_line(quick) + lock_line(arm, marker="platform_machine == 'aarch64'")
        files = {"requirements.in": "app[fast]\n", "requirements.txt": text}
        assert [w.name for w in resolved(tmp_path, {"one": files}, ARM)["functions/one", ARM]] == [
            "app",
            "arm",
            "quick",
        ]
        assert [w.name for w in resolved(tmp_path, {"one": files}, X86)["functions/one", X86]] == ["app", "quick"]

    def test_a_version_that_does_not_fit_another_distribution_is_told(self, tmp_path, package_index):
        app, dep = make_wheel(package_index, "app", requires=["dep>=2"]), make_wheel(package_index, "dep")
        with pytest.raises(InputError) as caught:
            resolved(tmp_path, {"one": {"requirements.txt": lock_line(app) + lock_line(dep)}})
        assert "expected dep>=2 for app, got 1.0" in caught.value.facts[0]

    def test_circles_end(self, tmp_path, package_index):
        a, b = make_wheel(package_index, "a", requires=["b"]), make_wheel(package_index, "b", requires=["a"])
        answer = resolved(
            tmp_path, {"one": {"requirements.in": "a\n", "requirements.txt": lock_line(a) + lock_line(b)}}
        )
        assert len(answer["functions/one", X86]) == 2

    def test_a_wheel_that_says_it_is_another_is_refused(self, tmp_path, package_index):
        liar = make_wheel(package_index, "liar", metadata_name="honest")
        with pytest.raises((InputError, FindingsError)):
            resolved(tmp_path, {"one": {"requirements.txt": lock_line(liar)}})
