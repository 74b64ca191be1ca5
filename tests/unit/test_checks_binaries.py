from dataclasses import replace
from pathlib import Path

import pytest

from build.checks import binaries, modules
from build.checks.problem import Problem
from build.digest import Digest
from build.model import Architecture, Artifact, Build, Runtime, Target, Wheel
from build.store.objects import Store
from tests.artifacts import make_artifact
from tests.builders import function_spec, layer_spec, make_wheel, make_workspace
from tests.elves import make_elf

AL2 = Target(Runtime(11), Architecture.X86_64)
AL2023 = Target(Runtime(13), Architecture.X86_64)
NEW_GLIBC = {"libc.so.6": {"GLIBC_2.34": "pthread_create"}}
TAG = "cp311-abi3-manylinux2014_x86_64"


class Repository:
    """A function, maybe with a layer, of wheels that are in a store."""

    def __init__(self, root: Path, target: Target = AL2023) -> None:
        self.root, self.target = root, target
        self.store = Store(root / ".artifacts/store")
        self.wheels: list[Wheel] = []
        self.layer: list[Wheel] = []
        self.layers: tuple[str, ...] = ()
        (root / "functions/f/src").mkdir(parents=True)

    def wheel(self, name: str, files: dict[str, bytes], *, version: str = "1.0", tag: str = TAG) -> Wheel:
        made = make_wheel(self.root / "made", name, version, files=files, tag=tag)
        place = self.store.wheel(made.digest, made.path.name)
        place.parent.mkdir(parents=True)
        made.path.rename(place)
        return replace(made, path=place)

    def ships(self, name: str, files: dict[str, bytes], *, version: str = "1.0", tag: str = TAG) -> None:
        self.wheels.append(self.wheel(name, files, version=version, tag=tag))

    def source(self, path: str, data: bytes) -> None:
        place = self.root / "functions/f/src" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    @property
    def errors(self) -> list[Problem]:
        return self._problems(binaries.unfit)

    @property
    def warnings(self) -> list[Problem]:
        return self._problems(binaries.doubtful)

    def _problems(self, rule) -> list[Problem]:
        modules.forget()
        function = function_spec(self.root / "functions/f", target=self.target, layers=self.layers)
        layer = layer_spec(self.root / "layers/data", runtimes=(self.target.runtime,), architectures=(X86,))
        own = "data" in self.layers
        workspace = make_workspace(self.root, functions=(function,), layers=(layer,) if own else ())
        layers = {("data", X86): self._artifact("layers/data", self.layer)} if own else {}
        build = Build(functions={"f": self._artifact("functions/f", self.wheels)}, layers=layers)
        return list(rule(workspace, build, self.store))

    def _artifact(self, identity: str, wheels: list[Wheel]) -> Artifact:
        return make_artifact(self.root / f"{Path(identity).name}.zip", identity, wheels=wheels)


X86 = Architecture.X86_64


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def old_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path, AL2)


def test_compiled_code_that_fits_gives_nothing(repository):
    repository.ships("fast", {"fast.abi3.so": make_elf(needed=("libc.so.6",), versions=NEW_GLIBC, module="fast")})
    repository.ships("pure", {"pure.py": b""}, tag="py3-none-any")
    repository.source("own.so", make_elf(module="own"))
    assert repository.errors == repository.warnings == []


def test_a_symbol_that_the_runtime_lacks_is_named_with_its_file_wheel_and_runtime(old_repository):
    old_repository.ships("fast", {"fast/core.abi3.so": make_elf(versions=NEW_GLIBC, module="core")})
    (found,) = old_repository.errors
    assert found.subject == "functions/f"
    assert found.message == (
        "fast 1.0 (fast-1.0-cp311-abi3-manylinux2014_x86_64.whl): fast/core.abi3.so does not load on "
        "python3.11 on x86_64: expected at most GLIBC_2.26, got GLIBC_2.34 (pthread_create)"
    )
    assert found.hint.endswith("run `invoke lock`")


def test_the_newest_other_version_in_the_store_that_fits_is_named(old_repository):
    fitting, new = make_elf(module="core"), make_elf(versions=NEW_GLIBC, module="core")
    old_repository.ships("Fast.Code", {"core.abi3.so": new}, version="3.0")
    for version, data in {"0.9": fitting, "0.10": fitting, "2.0": new}.items():
        old_repository.wheel("fast_code", {"core.abi3.so": data}, version=version)
    old_repository.wheel("fast_code", {"core.abi3.so": fitting}, version="2.5", tag="cp312-abi3-manylinux2014_x86_64")
    old_repository.wheels = [replace(wheel, name="fast-code") for wheel in old_repository.wheels]
    (found,) = old_repository.errors
    assert found.hint == "pin fast-code 0.10, which fits, for functions/f; then run `invoke lock`"


def test_a_distribution_has_one_problem_however_many_files_are_wrong(old_repository):
    core = make_elf(versions=NEW_GLIBC)
    old_repository.ships("fast", {f"fast/c{number}.so": core for number in range(9)})
    old_repository.ships("other", {"other.so": core})
    first, second = old_repository.errors
    assert "nor do 8 more files" in first.message
    assert "more files" not in second.message


class TestWhatWasCompiledHere:
    TAG = "cp313-cp313-linux_x86_64"

    def compiled(self, repository, tag, others):
        repository.ships("fast", {"fast.abi3.so": make_elf(module="fast")}, version="1.5", tag=tag)
        if others is not None:
            repository.store.remember("compiled", repository.wheels[0].digest, others)
        return repository._problems(binaries.compiled_here)

    def test_is_told_with_the_versions_that_have_a_wheel_and_with_the_file_to_change(self, repository):
        (repository.root / "functions/f/pyproject.toml").write_text("[project]")
        (found,) = self.compiled(repository, self.TAG, ["1.7", "2.0"])
        assert found.subject == "functions/f"
        assert "fast 1.5 has no wheel that fits, so it was compiled here" in found.message
        assert found.message.endswith("other versions have one, such as 1.7 and 2.0")
        assert found.hint == "ask for fast 1.7 in functions/f/pyproject.toml, then run `invoke lock`"

    @pytest.mark.parametrize(
        ("tag", "others"),
        [(TAG, []), (TAG, None), ("cp313-cp313-manylinux_2_28_x86_64", None)],
        ids=["no version has a wheel", "somebody else compiled it", "a wheel of an index"],
    )
    def test_is_not_told_where_there_is_no_way_out_or_nothing_was_compiled(self, repository, tag, others):
        assert self.compiled(repository, tag, others) == []


def test_code_for_another_machine_is_refused(repository):
    repository.ships("fast", {"fast.abi3.so": make_elf(machine="aarch64", module="fast")}, tag="py3-none-any")
    (found,) = repository.errors
    assert "expected code for x86_64, got aarch64" in found.message


def test_code_for_another_python_is_refused_even_in_a_wheel_that_says_otherwise(repository):
    repository.ships("fast", {"fast.cpython-312-x86_64-linux-gnu.so": make_elf(module="fast")})
    (found,) = repository.errors
    assert "cpython-313-x86_64-linux-gnu.so" in found.message


def test_files_for_other_machines_and_pythons_may_lie_beside_those_that_fit(repository):
    repository.ships(
        "fast",
        {
            "fast.cpython-312-x86_64-linux-gnu.so": make_elf(module="fast"),
            "fast.cpython-313-x86_64-linux-gnu.so": make_elf(module="fast"),
            "helpers/arm64.so": make_elf(machine="aarch64"),
            "broken.so": b"\x7fELF nonsense",
        },
    )
    assert repository.errors == repository.warnings == []


def test_a_helper_for_one_machine_in_a_wheel_for_any_is_only_warned_of(repository):
    repository.ships("debugger", {"debugger/attach.so": make_elf(machine="aarch64")}, tag="py3-none-any")
    assert repository.errors == []
    assert "attach.so" in repository.warnings[0].message


def test_a_helper_that_is_too_new_in_a_wheel_for_any_machine_is_only_warned_of(old_repository):
    old_repository.ships("debugger", {"debugger/attach.so": make_elf(versions=NEW_GLIBC)}, tag="py3-none-any")
    assert old_repository.errors == []
    assert "GLIBC_2.34" in old_repository.warnings[0].message


def test_a_library_that_is_nowhere_is_named_with_a_way_out(repository):
    repository.ships(
        "vision-python",
        {
            "cv/cv.abi3.so": make_elf(needed=("libgui-1a.so.5",), module="cv"),
            "cv/plugins/a.so": make_elf(needed=("libplugged.so.1",)),
            "vision_python.libs/libgui-1a.so.5": make_elf(
                needed=("libGL.so.1", "libX11.so.6"), soname="libgui-1a.so.5"
            ),
        },
    )
    (found,) = repository.errors
    assert "vision_python.libs/libgui-1a.so.5" in found.message
    assert "expected libGL.so.1" in found.message
    assert "libX11.so.6" in found.message
    assert "-headless" in found.hint
    assert "functions/f/src/lib" in found.hint


def test_a_module_that_lacks_a_library_is_only_warned_of_when_others_load(repository):
    modules = {f"jit/m{number}.abi3.so": make_elf(module=f"m{number}") for number in range(3)}
    repository.ships("jit", {**modules, "jit/pool.abi3.so": make_elf(needed=("libtbb.so.12",), module="pool")})
    assert repository.errors == []
    assert "libtbb.so.12" in repository.warnings[0].message


def test_a_library_is_refused_where_there_is_no_module_and_nothing_loads(repository):
    repository.ships("boost", {"boost/lib_boost.so": make_elf(needed=("libgomp.so.1",))})
    assert "libgomp.so.1" in repository.errors[0].message


def test_libraries_of_the_same_wheel_are_found_by_file_name_and_by_soname(repository):
    repository.ships(
        "fast",
        {
            "fast.abi3.so": make_elf(needed=("libone.so", "libtwo.so.2"), module="fast"),
            "fast.libs/libone.so": make_elf(),
            "fast.libs/two": make_elf(soname="libtwo.so.2"),
        },
    )
    assert repository.errors == repository.warnings == []


def test_libraries_of_another_wheel_are_found_where_the_loader_looks(repository):
    repository.ships("cublas", {"nvidia/cublas/lib/libcublas.so.12": make_elf()})
    needed = ("libcublas.so.12",)
    repository.ships(
        "torch", {"torch/_C.so": make_elf(needed=needed, runpath="$ORIGIN/../nvidia/cublas/lib", module="_C")}
    )
    assert repository.errors == repository.warnings == []
    repository.ships("loose", {"loose/_C.so": make_elf(needed=needed, module="_C")})
    assert repository.errors == []
    assert "where the loader does not look" in repository.warnings[0].message


def test_a_library_in_lib_of_the_own_source_is_found_by_every_wheel(repository):
    repository.ships("geo", {"geo/_io.so": make_elf(needed=("libexpat.so.1",), module="_io")})
    assert len(repository.errors) == 1
    repository.source("lib/libexpat.so.1", make_elf())
    assert repository.errors == repository.warnings == []


def test_a_library_in_an_own_layer_is_found_by_its_path(repository):
    repository.layer.append(repository.wheel("lib", {"libs/libone.so": make_elf()}))
    repository.ships("fast", {"fast.so": make_elf(needed=("libone.so",), runpath="/opt/python/libs", module="fast")})
    assert len(repository.errors) == 1
    repository.layers = ("data",)
    assert repository.errors == repository.warnings == []


def test_a_library_that_may_be_in_a_layer_by_arn_is_warned_of(repository):
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:gdal:1"
    repository.layers = (arn,)
    repository.ships("fast", {"fast.so": make_elf(needed=("libgdal.so.35",), module="fast")})
    assert repository.errors == []
    assert arn in repository.warnings[0].message


def test_a_layer_is_judged_by_itself_and_by_its_own_target(old_repository):
    old_repository.layers = ("data",)
    old_repository.layer.append(old_repository.wheel("fast", {"fast.so": make_elf(versions=NEW_GLIBC, module="fast")}))
    (found,) = old_repository.errors
    assert found.subject == "layers/data"


def test_what_slimming_leaves_out_is_not_judged(repository):
    bad = make_elf(machine="aarch64", module="bad")
    repository.ships("fast", {"fast/tests/bad.so": bad, "fast/tests/__init__.py": b"", "fast/__init__.py": b""})
    assert repository.errors == repository.warnings == []


@pytest.mark.parametrize(
    ("path", "data", "got"),
    [
        ("fast.cpython-313-aarch64-linux-gnu.so", make_elf(machine="aarch64", module="fast"), "got aarch64"),
        ("fast.cpython-313-darwin.so", b"\xcf\xfa\xed\xfe" + bytes(99), "macOS"),
        ("pkg/fast.cp313-win_amd64.pyd", b"MZ" + bytes(99), "Windows"),
        ("lib/libfast.dylib", b"\xca\xfe\xba\xbe" + bytes(99), "macOS"),
        ("bin/tool", make_elf(machine="aarch64"), "got aarch64"),
        ("fast.so", b"\x7fELF nonsense", "a broken one"),
    ],
)
def test_own_source_that_another_system_compiled_is_refused(repository, path, data, got):
    repository.source(path, data)
    (found,) = repository.errors
    assert f"src/{path}" in found.message
    assert got in found.message
    assert found.hint.endswith("then run `invoke check`")


def test_own_source_may_hold_a_build_for_the_laptop_beside_the_one_for_lambda(repository):
    repository.source("fast.cpython-313-darwin.so", b"\xcf\xfa\xed\xfe" + bytes(99))
    repository.source("fast.cpython-313-x86_64-linux-gnu.so", make_elf(module="fast"))
    repository.source("data.so", b"no library at all")
    assert repository.errors == repository.warnings == []


def test_a_wheel_that_is_only_in_the_remote_store_is_not_judged(repository):
    repository.ships("fast", {"fast.so": make_elf(machine="aarch64", module="fast")})
    repository.wheels = [replace(wheel, digest=Digest("0" * 64)) for wheel in repository.wheels]
    assert repository.errors == []
