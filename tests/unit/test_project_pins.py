"""base-images.toml: read, written, told of where it is wrong, and what follows from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.model import IMAGE, Architecture, FunctionSpec, Runtime, Target
from build.packaging.affected import affected
from build.project import snapshot as snapshots
from build.project.discovery import discover, discover_all
from build.project.pins import PINS, read_pins, write_pins
from build.project.profiles import host_architecture
from build.verbs import building
from tests.builders import ARM, X86, function_spec, make_workspace, write_files
from tests.unit.test_verbs_building import HERE

OLD = Target(Runtime(10), Architecture.X86_64)
HOST = Target(Runtime(13), host_architecture())
PLAIN = 'description = "x"\narchitecture = "x86_64"\n'


def pin(digit: str, tag: str = "3.13") -> str:
    return f"registry.example.invalid/lambda/python:{tag}@sha256:{digit * 64}"


def repository(root: Path, **functions: str) -> Path:
    """Write a repository whose functions' settings say this."""
    files = {
        f"functions/{name}/function.toml": f'{PLAIN}runtime = "python3.13"\n{text}' for name, text in functions.items()
    }
    sources = {f"functions/{name}/src/app.py": "def handler(event, context): ...\n" for name in functions}
    env = '[env.dev]\nregion = "eu-central-1"\naccount_id = "123456789012"\n'
    return write_files(root, {"slipway.toml": f'name = "shop"\n{env}', **files, **sources})


def by_name(root: Path, env: str = "dev") -> dict[str, FunctionSpec]:
    return {spec.name: spec for spec in discover(root, env).functions}


def facts(root: Path) -> tuple[str, ...]:
    with pytest.raises(InputError) as raised:
        discover(root, "dev")
    return raised.value.facts


# ── the file ──────────────────────────────────────────────────────────────────────────────────


def test_without_the_file_nothing_is_pinned(tmp_path):
    assert read_pins(tmp_path) == ({}, [])


def test_what_is_written_is_read_again(tmp_path):
    pins = {X86: pin("a"), ARM: pin("b"), OLD: pin("c", "3.10")}
    assert write_pins(tmp_path, pins) == tmp_path / PINS
    assert read_pins(tmp_path) == (pins, [])


def test_it_is_written_in_the_same_order_whatever_was_pinned_first(tmp_path):
    pins = {X86: pin("a"), ARM: pin("b"), OLD: pin("c", "3.10")}
    first = write_pins(tmp_path, pins).read_text("utf-8")
    assert write_pins(tmp_path, dict(reversed(pins.items()))).read_text("utf-8") == first
    rows = [line for line in first.splitlines() if line and not line.startswith("#")]
    assert rows == [
        '["python3.10"]',
        f'x86_64 = "{pin("c", "3.10")}"',
        '["python3.13"]',
        f'arm64 = "{pin("b")}"',
        f'x86_64 = "{pin("a")}"',
    ]


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    before = write_pins(tmp_path, {X86: pin("a")}).read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_pins(tmp_path, {X86: pin("b")})
    assert (tmp_path / PINS).read_bytes() == before


def test_beside_the_file_nothing_is_left(tmp_path):
    write_pins(tmp_path, {X86: pin("a")})
    assert [path.name for path in tmp_path.iterdir()] == [PINS]


# ── what is wrong with it ─────────────────────────────────────────────────────────────────────


def test_all_that_is_wrong_is_told_at_once_and_beside_what_else_is(tmp_path):
    repository(tmp_path, orders="memory_mb = 1\n")
    wrong = '["python3.13"]\nx86_64 = "registry.example.invalid/a:1"\narm64 = "a b"\n'
    write_files(tmp_path, {PINS: f'{wrong}["python3.10"]\nx86_64 = "{pin("a")}"\n'})
    told = facts(tmp_path)
    assert any(line.startswith("functions/orders/function.toml: memory_mb: ") for line in told)
    unpinned = "expected a digest behind it, as `invoke image.pull-base` tells it"
    assert {line for line in told if line.startswith(PINS)} == {
        f'{PINS}: python3.13.x86_64: {unpinned}, got "registry.example.invalid/a:1"',
        f"{PINS}: python3.13.arm64: expected HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, got 'a b'",
    }


@pytest.mark.parametrize(
    "text",
    [
        "[broken",
        "x = 1\n",
        '["python3.13"]\nx86_64 = 5\n',
        f'["python3.13"]\nriscv = "{pin("a")}"\n',
        f'["ruby3.4"]\nx86_64 = "{pin("a")}"\n',
        '["python3.13".x86_64]\nbase = "a"\n',
    ],
    ids=["no TOML", "no table", "no text", "architecture", "runtime", "a table too deep"],
)
def test_what_nobody_wrote_for_us_is_told_with_the_way_out(tmp_path, text):
    repository(tmp_path, orders="")
    write_files(tmp_path, {PINS: text})
    (line,) = [line for line in facts(tmp_path) if line.startswith(PINS)]
    assert line.endswith("; remove it and run `invoke image.pull-base`")


def test_a_file_that_is_no_text_is_told_of(tmp_path):
    repository(tmp_path, orders="")
    (tmp_path / PINS).write_bytes(b"\xff\xfe")
    (line,) = [line for line in facts(tmp_path) if line.startswith(PINS)]
    assert "`invoke image.pull-base`" in line


# ── what follows from it ──────────────────────────────────────────────────────────────────────


def test_an_image_that_names_no_base_gets_the_one_of_its_target(tmp_path):
    own = pin("f", "own")
    repository(
        tmp_path,
        plain='package = "image"\n',
        arm='package = "image"\n[env.dev]\narchitecture = "arm64"\n',
        named=f'package = "image"\nbase_image = "{own}"\n',
        zipped="",
    )
    write_pins(tmp_path, {X86: pin("a"), ARM: pin("b")})
    specs = by_name(tmp_path)
    found = {name: spec.base_image for name, spec in specs.items()}
    assert found == {"plain": pin("a"), "arm": pin("b"), "named": own, "zipped": ""}


def test_on_env_local_it_is_the_one_for_this_machine(tmp_path):
    repository(tmp_path, orders='package = "image"\n')
    write_pins(tmp_path, {X86: pin("a"), ARM: pin("b")})
    assert by_name(tmp_path, "local")["orders"].base_image == {X86: pin("a"), ARM: pin("b")}[HOST]


def test_an_image_for_whose_target_none_is_pinned_has_none(tmp_path):
    repository(tmp_path, orders='package = "image"\n')
    write_pins(tmp_path, {OLD: pin("a")})
    assert by_name(tmp_path)["orders"].base_image == ""


def test_what_is_pinned_anew_is_seen_at_once(tmp_path):
    repository(tmp_path, orders='package = "image"\n')
    assert by_name(tmp_path)["orders"].base_image == ""
    for digit in "ab":
        write_pins(tmp_path, {X86: pin(digit)})
        assert by_name(tmp_path)["orders"].base_image == pin(digit)
    (tmp_path / PINS).unlink()
    assert [spec.base_image for each in discover_all(tmp_path) for spec in each.functions] == ["", ""]


def test_another_base_affects_images_and_no_zip(tmp_path):
    specs = [function_spec(tmp_path / "functions" / name) for name in ("picture", "zipped")]
    write_files(tmp_path, {f"functions/{spec.name}/src/app.py": "" for spec in specs})
    workspace = make_workspace(tmp_path, functions=(replace(specs[0], package=IMAGE), specs[1]))
    found = affected([workspace], read_locks(workspace), [tmp_path / PINS])
    assert (found.functions, found.layers) == ({"picture": (PINS,)}, {})


def test_a_build_looks_again_once_something_else_is_pinned(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(snapshots, "_RACY_NS", 0)
    made: list[str] = []
    original = building._made

    def counted(root: Path, env: str, only: str) -> dict[str, object]:
        made.append(env)
        return original(root, env, only)

    monkeypatch.setattr(building, "_made", counted)
    repository(tmp_path, orders="")
    write_files(tmp_path, {"functions/orders/function.toml": f'{PLAIN}runtime = "{HERE}"\n'})

    def builds() -> int:
        made.clear()
        building.build(tmp_path, "local", as_json=True)
        assert json.loads(capsys.readouterr().out)["functions"]
        return len(made)

    assert [builds(), builds()] == [1, 0]
    write_pins(tmp_path, {X86: pin("a")})
    assert [builds(), builds()] == [1, 0]
    write_pins(tmp_path, {X86: pin("b")})
    assert builds() == 1
