"""Bills of materials: right by the official schema, and the same for the same bytes."""

import json
import zipfile
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from build.digest import Digest
from build.inspection.sbom import write_sboms
from build.locking.locks import Lock
from build.locking.requirements import Pin
from build.model import Architecture, Build, Runtime
from build.store.objects import Store, untouched
from tests.artifacts import make_artifact
from tests.builders import function_spec, layer_spec, make_wheel, make_workspace, write_files


@pytest.fixture
def orders(tmp_path):
    wheels = [
        make_wheel(tmp_path, "web", "2.1+local", requires=["teapot[glaze]>=1", "colour ; sys_platform == 'win32'"]),
        make_wheel(tmp_path, "teapot", requires=["clay", "paint ; extra == 'glaze'", "lid ; extra == 'lid'"]),
        *(make_wheel(tmp_path, name) for name in ("clay", "paint", "lid", "colour")),
    ]
    artifact = make_artifact(tmp_path / "orders.zip", wheels=wheels, src={"app.py": "def handler(e, c): ..."})
    workspace = make_workspace(tmp_path, functions=(function_spec(tmp_path / "functions/orders"),))
    return workspace, Build(functions={"orders": artifact}, layers={})


def write(workspace, build, *pins):
    """Write bills with a store and locks, which say of ``pins`` alone where they come from."""
    locks = {spec.identity: lock(spec.identity, pins) for spec in workspace.specs}
    return write_sboms(workspace, build, locks, Store(workspace.generated / "store"))


def lock(identity, pins):
    return Lock(identity=identity, pins=tuple(pins), wanted=None, digest=Digest.of_bytes(b""))


def bill(workspace):
    text = (workspace.root / ".artifacts/sbom/functions/orders.cdx.json").read_text("utf-8")
    return text, json.loads(text)


def name_of(ref):
    return ref.partition("@")[0]


def test_a_bill_holds_by_the_official_schema(orders):
    write(*orders)
    text, _ = bill(orders[0])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_every_distribution_is_a_component_with_purl_and_the_digest_of_its_wheel(orders):
    workspace, build = orders
    write(workspace, build)
    components = {row["name"]: row for row in bill(workspace)[1]["components"]}
    assert set(components) == {"web", "teapot", "clay", "paint", "lid", "colour"}
    assert components["web"]["purl"] == "pkg:pypi/web@2.1%2Blocal"
    digests = {each.name: each.wheel.hex for each in build.functions["orders"].distributions}
    assert components["clay"]["hashes"] == [{"alg": "SHA-256", "content": digests["clay"]}]


def test_the_graph_is_that_of_the_target_and_begins_at_what_nothing_else_needs(orders):
    write(*orders)
    graph = {
        name_of(row["ref"]): {name_of(ref) for ref in row["dependsOn"]} for row in bill(orders[0])[1]["dependencies"]
    }
    assert graph == {
        "functions/orders": {"web", "lid", "colour"},
        "web": {"teapot"},
        "teapot": {"clay", "paint"},
        **{name: set() for name in ("clay", "paint", "lid", "colour")},
    }


def test_circles_are_reached_from_the_root(tmp_path):
    wheels = [make_wheel(tmp_path, "egg", requires=["hen"]), make_wheel(tmp_path, "hen", requires=["egg"])]
    workspace = make_workspace(tmp_path, functions=(function_spec(tmp_path / "functions/orders"),))
    write(workspace, Build(functions={"orders": make_artifact(tmp_path / "a.zip", wheels=wheels)}, layers={}))
    root, *_ = bill(workspace)[1]["dependencies"]
    assert [name_of(ref) for ref in root["dependsOn"]] == ["egg"]


def test_licences_are_expressions_or_names(tmp_path):
    def info(name, line):
        return {f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{line}\n"}

    wheels = [make_wheel(tmp_path, name) for name in ("spdx", "words", "none")]
    path = tmp_path / "a.zip"
    src = {**info("spdx", "License-Expression: MIT AND (Apache-2.0 OR BSD-2-Clause)"), **info("words", "License: BSD")}
    artifact = make_artifact(path, wheels=wheels)
    make_artifact(path, src=src)
    workspace = make_workspace(tmp_path, functions=(function_spec(tmp_path / "functions/orders"),))
    write(workspace, Build(functions={"orders": artifact}, layers={}))
    text, read = bill(workspace)
    assert {row["name"]: row.get("licenses") for row in read["components"]} == {
        "spdx": [{"expression": "MIT AND (Apache-2.0 OR BSD-2-Clause)"}],
        "words": [{"license": {"name": "BSD"}}],
        "none": None,
    }
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_a_layer_for_several_runtimes_has_the_wheels_of_each(tmp_path):
    runtimes = Runtime(12), Runtime(13)
    parts = []
    for runtime in runtimes:
        tag, marker = f"cp3{runtime.minor}-cp3{runtime.minor}-any", "python_version < '3.13'"
        wheels = [make_wheel(tmp_path, "fast", tag=tag, requires=[f"old ; {marker}"]), make_wheel(tmp_path, "old")]
        folder = f"python/lib/{runtime}/site-packages"
        parts.append(make_artifact(tmp_path / f"{runtime}.zip", "layers/data", wheels=wheels, folder=folder))
    with zipfile.ZipFile(parts[0].path, "a") as both, zipfile.ZipFile(parts[1].path) as other:
        for name in other.namelist():
            both.writestr(name, other.read(name))
    layer = replace(parts[0], distributions=parts[0].distributions + parts[1].distributions)
    workspace = make_workspace(tmp_path, layers=(layer_spec(tmp_path / "layers/data", runtimes=runtimes),))
    write(workspace, Build(functions={}, layers={("data", Architecture.X86_64): layer}))
    text = (tmp_path / ".artifacts/sbom/layers/data.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert [row["name"] for row in json.loads(text)["components"]] == ["fast", "fast", "old"]


def test_the_same_artifact_has_the_same_bill_and_another_has_another_serial_number(orders, tmp_path):
    workspace, build = orders
    write(workspace, build)
    first, read = bill(workspace)
    (path,) = (tmp_path / ".artifacts/sbom").glob("*/*.json")
    path.unlink()
    write(workspace, build)
    assert bill(workspace)[0] == first
    other = make_artifact(tmp_path / "other.zip", src={"app.py": "changed"})
    write(workspace, Build(functions={"orders": other}, layers={}))
    assert bill(workspace)[1]["serialNumber"] != read["serialNumber"]


def test_only_bills_of_new_artifacts_are_written(orders):
    workspace, build = orders
    assert [path.name for path in write(workspace, build)] == ["orders.cdx.json"]
    assert write(workspace, build) == ()


def test_the_bill_of_a_folder_that_is_gone_goes_too_and_that_of_one_not_built_this_time_stays(orders):
    workspace, build = orders
    settings = write_files(workspace.root, {"functions/orders/function.toml": ""}) / "functions/orders/function.toml"
    (written,) = write(workspace, build)
    others = make_workspace(workspace.root), Build(functions={}, layers={})
    write(*others)
    assert written.exists()
    settings.unlink()
    write(*others)
    assert not written.exists()


def test_artifacts_do_not_hold_their_bill(orders):
    workspace, build = orders
    before = build.functions["orders"].path.read_bytes()
    write(workspace, build)
    assert build.functions["orders"].path.read_bytes() == before


def test_a_changed_line_of_code_gives_the_same_bill_under_a_new_head_without_opening_the_archive(orders, monkeypatch):
    workspace, build = orders
    write(workspace, build)
    _, before = bill(workspace)
    other = replace(build.functions["orders"], digest=build.functions["orders"].distributions[0].wheel)
    monkeypatch.setattr("build.inspection.contents.read_distributions", lambda _: pytest.fail("opened"))
    write(workspace, Build(functions={"orders": other}, layers={}))
    text, after = bill(workspace)
    assert after["serialNumber"] != before["serialNumber"]
    assert after["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": other.digest.hex}]
    assert (after["components"], after["dependencies"]) == (before["components"], before["dependencies"])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize("change", ["a distribution", "the target"])
def test_what_decides_the_graph_gives_a_new_one(orders, change):
    workspace, build = orders
    write(workspace, build)
    artifact = build.functions["orders"]
    held = artifact.distributions
    other = replace(artifact, digest=held[0].wheel)
    if change == "a distribution":
        other = replace(other, distributions=held[1:])
    else:
        spec = replace(workspace.functions[0], target=replace(workspace.functions[0].target, runtime=Runtime(12)))
        workspace = replace(workspace, functions=(spec,))
    write(workspace, Build(functions={"orders": other}, layers={}))
    _, after = bill(workspace)
    assert len(after["components"]) == len(other.distributions)
    properties = {row["name"]: row["value"] for row in after["metadata"]["component"]["properties"]}
    assert properties["slipway:targets"] == str(workspace.functions[0].target)


def test_functions_with_the_same_distributions_have_bills_of_their_own(orders, tmp_path):
    workspace, build = orders
    twin = replace(build.functions["orders"], identity="functions/twin", key="twin")
    specs = (*workspace.functions, function_spec(tmp_path / "functions/twin"))
    both = Build(functions={**build.functions, "twin": twin}, layers={})
    write(replace(workspace, functions=specs), both)
    for name in ("orders", "twin"):
        text = (workspace.root / f".artifacts/sbom/functions/{name}.cdx.json").read_text("utf-8")
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        read = json.loads(text)
        assert read["metadata"]["component"]["bom-ref"] == read["dependencies"][0]["ref"] == f"functions/{name}"


def test_what_comes_from_no_index_has_no_purl(orders, tmp_path):
    """An index may have quite another thing of that name."""
    workspace, build = orders
    write(workspace, build)
    before = bill(workspace)[1]
    no_index = (
        {"name": "lid", "folder": tmp_path / "libs/lid"},
        {"name": "clay", "url": "https://example.invalid/clay.whl"},
    )
    write(workspace, build, *(Pin(version="1.0", marker=None, sha256s=frozenset(), **each) for each in no_index))
    text, after = bill(workspace)
    assert {row["name"] for row in after["components"] if "purl" not in row} == {"lid", "clay"}
    assert after["serialNumber"] != before["serialNumber"]
    assert after["dependencies"] == before["dependencies"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_an_edited_bill_is_written_again_and_nothing_of_it_lives_on(orders):
    workspace, build = orders
    (path,) = write(workspace, build)
    assert untouched(path)
    right = path.read_text("utf-8")
    path.write_text(right.replace('"clay"', '"wood"'), "utf-8")
    other = replace(build.functions["orders"], digest=Digest.of_bytes(b"other"))
    write(workspace, Build(functions={"orders": other}, layers={}))
    assert '"clay"' in path.read_text("utf-8")
    assert write(workspace, build) == (path,)
    path.write_text(right.replace('"clay"', '"wood"'), "utf-8")
    assert write(workspace, build) == (path,)
    assert path.read_text("utf-8") == right


def test_the_same_bytes_for_another_target_have_another_serial_number(orders):
    workspace, build = orders
    write(workspace, build)
    before = bill(workspace)[1]
    spec = replace(workspace.functions[0], target=replace(workspace.functions[0].target, runtime=Runtime(12)))
    write(replace(workspace, functions=(spec,)), build)
    after = bill(workspace)[1]
    assert after["metadata"]["component"]["hashes"] == before["metadata"]["component"]["hashes"]
    assert after["serialNumber"] != before["serialNumber"]
