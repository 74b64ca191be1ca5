from dataclasses import replace
from pathlib import Path

import pytest

from build.checks import check
from build.digest import Digest
from build.errors import InputError
from build.locking.locks import read_locks
from build.model import Architecture, Artifact, Build, Distribution, Finding, FunctionSpec, Severity, Workspace
from build.packaging.assemble import build_workspace
from build.project.discovery import discover
from build.report import warning_of
from build.rules import quotas
from build.store.objects import Store
from tests.artifacts import make_artifact
from tests.builders import function_spec, layer_spec, make_workspace, write_files
from tests.checking import HANDLER

X86 = Architecture.X86_64
MB = 1_000_000
ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:x:1"


def artifact(identity: str, unzipped: int, *, own: int = 0, distributions: dict[str, int] | None = None) -> Artifact:
    """Return an artifact that says it is large; its zip is not there."""
    return Artifact(
        identity=identity,
        key=identity.partition("/")[2],
        architectures=(X86,),
        path=Path("not-there.zip"),
        digest=Digest("0" * 64),
        size_bytes=1,
        unzipped_bytes=unzipped,
        source_bytes=own,
        bytecode_bytes=0,
        saved={},
        distributions=tuple(
            Distribution(
                name=n,
                version="1.0",
                size_bytes=size,
                wheel=Digest.of_bytes(n.encode()),
                filename=f"{n}-1.0-py3-none-any.whl",
            )
            for n, size in (distributions or {}).items()
        ),
        changed=True,
    )


def function(root: Path, *, layers: tuple[str, ...] = ()) -> FunctionSpec:
    return function_spec(write_files(root / "functions/f", {"src/app.py": HANDLER}), layers=layers)


def found(workspace: Workspace, build: Build) -> list[Finding]:
    findings = check(workspace, build, Store(workspace.generated / "store"))
    return [finding for finding in findings if "size" in finding.rule or finding.rule == "empty-artifact"]


def alone(root: Path, unzipped: int, **sizes: object) -> list[Finding]:
    built = Build(functions={"f": artifact("functions/f", unzipped, **sizes)}, layers={})  # type: ignore[arg-type]
    return found(make_workspace(root, functions=(function(root),)), built)


def test_a_function_is_warned_beyond_nine_tenths_and_refused_beyond_the_quota(tmp_path):
    most = quotas.UNZIPPED_BYTES
    sizes = (most * 9 // 10, most * 9 // 10 + 1, most, most + 1)
    rules = [[finding.rule for finding in alone(tmp_path, size)] for size in sizes]
    assert rules == [[], ["function-size-near"], ["function-size-near"], ["function-size"]]


def test_how_much_of_the_quota_is_used_is_told_with_what_uses_it(tmp_path):
    (finding,) = alone(tmp_path, 240 * MB, distributions={"pandas": 200 * MB})
    assert finding.severity is Severity.WARNING
    assert finding.message == "92 % of 262,144,000 bytes are used: 240,000,000 unzipped (functions/f 240.0 MB)"
    assert finding.details == ("largest distributions:", "  200.0 MB  pandas 1.0  functions/f")


def test_a_function_one_byte_too_large_with_its_layers_shows_the_twenty_largest_distributions(tmp_path):
    spec = function(tmp_path, layers=("data", ARN))
    large = {f"d{n}": n * MB for n in range(1, 31)}
    built = Build(
        functions={"f": artifact("functions/f", 100 * MB, own=3 * MB, distributions={"own": 90 * MB})},
        layers={("data", X86): artifact("layers/data", quotas.UNZIPPED_BYTES - 100 * MB + 1, distributions=large)},
    )
    workspace = make_workspace(tmp_path, functions=(spec,), layers=(layer_spec(tmp_path / "layers/data"),))
    (finding,) = found(workspace, built)
    assert (finding.rule, finding.severity, finding.subject) == ("function-size", Severity.ERROR, "functions/f")
    assert finding.message == (
        "expected at most 262,144,000 bytes, got 262,144,001 (0.0 MB too much) unzipped (functions/f 100.0 MB, "
        f"layers/data 162.1 MB, {ARN} of unknown size, which [layer_sizes] in slipway.toml may tell)"
    )
    assert len(finding.details) == 21
    assert finding.details[1:4] == (
        "   90.0 MB  own 1.0  functions/f",
        "   30.0 MB  d30 1.0  layers/data",
        "   29.0 MB  d29 1.0  layers/data",
    )
    assert "replace a large distribution" in finding.hint


def test_layers_by_arn_count_with_the_size_that_is_told(tmp_path):
    spec = function(tmp_path, layers=(ARN,))
    built = Build(functions={"f": artifact("functions/f", 240 * MB)}, layers={})
    workspace = replace(make_workspace(tmp_path, functions=(spec,)), layer_sizes={ARN: 25 * MB})
    (finding,) = found(workspace, built)
    assert finding.rule == "function-size"
    assert f"(functions/f 240.0 MB, {ARN} 25.0 MB)" in finding.message


def test_the_sizes_of_layers_by_arn_come_from_slipway_toml(tmp_path):
    write_files(tmp_path, {"slipway.toml": f'name = "shop"\n[layer_sizes]\n"{ARN}" = 25_000_000\n'})
    assert discover(tmp_path, "local").layer_sizes == {ARN: 25 * MB}
    write_files(tmp_path, {"slipway.toml": 'name = "shop"\n[layer_sizes]\n"arn:aws:lambda:x" = 1\n'})
    with pytest.raises(InputError, match="expected the ARN of a layer version"):
        discover(tmp_path, "local")


def test_a_layer_that_terraform_custom_gives_is_of_a_size_that_can_be_told(tmp_path):
    write_files(tmp_path, {"slipway.toml": 'name = "shop"\n[layer_sizes]\n"{custom.layer}" = 25_000_000\n'})
    told = discover(tmp_path, "local").layer_sizes
    spec = function(tmp_path, layers=("{custom.layer}",))
    built = Build(functions={"f": artifact("functions/f", 240 * MB)}, layers={})
    (finding,) = found(replace(make_workspace(tmp_path, functions=(spec,)), layer_sizes=told), built)
    assert "(functions/f 240.0 MB, {custom.layer} 25.0 MB)" in finding.message


def test_a_table_stands_below_the_message_and_above_the_hint(tmp_path):
    (finding,) = alone(tmp_path, 240 * MB, distributions={"pandas": 200 * MB})
    lines = warning_of(finding).splitlines()
    assert lines[0].startswith("warning: functions/f: 92 %")
    assert lines[0].endswith("(function-size-near)")
    assert lines[1:3] == ["  largest distributions:", "    200.0 MB  pandas 1.0  functions/f"]
    assert lines[3].startswith("hint: ")


def test_the_largest_files_are_shown_with_where_they_are(tmp_path):
    spec = function(tmp_path)
    held = make_artifact(tmp_path / "f.zip", "functions/f", src={"app.py": HANDLER, "model.bin": "x" * 5_000_000})
    large = replace(held, unzipped_bytes=quotas.UNZIPPED_BYTES + 1)
    (finding,) = found(make_workspace(tmp_path, functions=(spec,)), Build(functions={"f": large}, layers={}))
    files = finding.details[finding.details.index("largest files:") :]
    assert files[1:] == ("    5.0 MB  model.bin  functions/f", "    0.0 MB  app.py     functions/f")


def test_the_hint_begins_with_src_where_that_is_the_largest_part(tmp_path):
    (finding,) = alone(tmp_path, 300 * MB, own=200 * MB, distributions={"pandas": 100 * MB})
    assert finding.hint.startswith("move large files out of functions/f/src/")


def test_a_layer_too_large_by_itself_is_told_once_and_not_for_each_function(tmp_path):
    spec = function(tmp_path, layers=("data",))
    built = Build(
        functions={"f": artifact("functions/f", 1)},
        layers={("data", X86): artifact("layers/data", quotas.UNZIPPED_BYTES + 1)},
    )
    workspace = make_workspace(tmp_path, functions=(spec,), layers=(layer_spec(tmp_path / "layers/data"),))
    (finding,) = found(workspace, built)
    assert (finding.rule, finding.subject) == ("layer-size", "layers/data")
    assert finding.message.endswith("unzipped on x86_64")


def test_an_artifact_without_a_file_is_refused_as_lambda_refuses_it(tmp_path):
    data = layer_spec(write_files(tmp_path / "layers/data", {}))
    workspace = make_workspace(tmp_path, layers=(data,))
    store = Store(tmp_path / "store")
    built = build_workspace(workspace, read_locks(workspace), store, on_progress=lambda _: None)
    (finding,) = found(workspace, built)
    assert (finding.rule, finding.severity, finding.subject) == ("empty-artifact", Severity.ERROR, "layers/data")


def test_bytecode_that_stays_out_for_want_of_room_is_told(tmp_path):
    slim = replace(artifact("functions/f", 200 * MB), saved={"tests": 5, "bytecode": 12 * MB})
    built = Build(functions={"f": slim}, layers={})
    workspace = make_workspace(tmp_path, functions=(function(tmp_path),))
    findings = check(workspace, built, Store(workspace.generated / "store"))
    (told,) = (finding for finding in findings if finding.rule == "bytecode-left-out")
    assert told.severity is Severity.WARNING
    assert told.message.startswith("12.0 MB of bytecode stay out")
