"""`image.show` and `image.export`, of an image that stands on next to nothing; `image.pull-base` where none is wanted.

tests/integration/test_images_bases.py pulls bases from a real registry.
"""

import json
import tarfile
from pathlib import Path

import pytest

from build import imaging
from build.digest import Digest
from build.errors import InputError
from build.image import Image
from build.images.layouts import Layout
from build.local.stand_in import LABEL
from build.project.pins import PINS
from build.store.objects import Store
from build.verbs import image as verbs
from tests.builders import write_files
from tests.tiny_images import layer, make_image
from tests.unit.test_verbs_building import APP, HERE

START = {"Entrypoint": ["/lambda-entrypoint.sh"], "WorkingDir": "/var/task", "Labels": {LABEL: HERE}}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an image and a zip; a layer of Lambda's is in the image, too."""

    def stand_in(_: object, __: object, store: Store, **___: object) -> Image:
        return make_image(store, layer({"etc/os-release": "NAME=tests\n"}), settings=START)

    monkeypatch.setattr(imaging, "stand_in", stand_in)
    settings = f'name = "shop"\n[defaults]\nruntime = "{HERE}"\n'
    tables = {
        "functions/picture/function.toml": 'description = "x"\npackage = "image"\nlayers = ["data"]\n',
        "functions/zipped/function.toml": 'description = "x"\n',
        "layers/data/layer.toml": f'description = "x"\nruntimes = ["{HERE}"]\narchitectures = ["x86_64", "arm64"]\n',
    }
    sources = {f"functions/{name}/src/app.py": APP.format(1) for name in ("picture", "zipped")}
    return write_files(
        tmp_path, {"slipway.toml": settings, **tables, **sources, "layers/data/src/shared.py": "X = 1\n"}
    )


@pytest.fixture
def told(root: Path, capsys: pytest.CaptureFixture[str]):
    """What `show --json` says of the image."""
    verbs.show(root, "local", "picture", as_json=True)
    return json.loads(capsys.readouterr().out)


# ── show ──────────────────────────────────────────────────────────────────────────────────────


def test_an_image_is_shown_layer_by_layer_with_where_each_comes_from(root, told, capsys):
    verbs.show(root, "local", "picture", as_json=False)
    first, second, *table = capsys.readouterr().out.splitlines()
    assert first == f"picture: {told['digest']}"
    assert second.endswith("starts /lambda-entrypoint.sh app.handler in /var/task as whom Lambda says")
    rows = [line.split("  ") for line in table if line.strip()[:1].isdigit()]
    assert [[cell.strip() for cell in row if cell.strip()][1] for row in rows] == ["base", "Lambda layer data", "code"]


def test_programs_get_the_same_with_whole_digests_and_sizes(root, told):
    assert [each["what"] for each in told["layers"]] == ["base", "Lambda layer data", "code"]
    assert told["size_bytes"] == sum(each["size_bytes"] for each in told["layers"])
    assert told["settings"]["Cmd"] == ["app.handler"]
    store = Store(root / ".artifacts/store")
    files = [store.blob(Digest.parse(each["digest"])) for each in told["layers"]]
    assert [file.stat().st_size for file in files] == [each["size_bytes"] for each in told["layers"]]


def test_to_show_one_image_others_are_not_built(root, capsys):
    verbs.show(root, "local", "picture", as_json=True)
    said = capsys.readouterr().err
    assert "functions/picture" in said
    assert "functions/zipped" not in said


# ── export ────────────────────────────────────────────────────────────────────────────────────


def tag_of(told: dict[str, str]) -> str:
    return f"shop-local-picture:{told['digest'].removeprefix('sha256:')[:12]}"


def test_an_oci_layout_holds_the_very_image_under_a_name(root, told, capsys):
    verbs.export(root, "local", "picture", oci=str(root / "out"), docker="")
    found = Layout(root / "out").read(tag_of(told))
    assert found
    assert str(found.digest) == told["digest"]
    assert all((root / "out/blobs/sha256" / each.digest.hex).stat().st_size == each.size_bytes for each in found.layers)
    assert f"try `skopeo inspect oci:{root / 'out'}:{tag_of(told)}`" in capsys.readouterr().err


def test_a_file_for_docker_holds_it_under_the_same_name(root, told, capsys):
    verbs.export(root, "local", "picture", oci="", docker=str(root / "out.tar"))
    with tarfile.open(root / "out.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        (held,) = json.loads(manifest.read())
        assert held["RepoTags"] == [tag_of(told)]
        assert len(held["Layers"]) == len(told["layers"])
        assert set(held["Layers"]) <= set(archive.getnames())
    assert f"try `docker load --input {root / 'out.tar'}`" in capsys.readouterr().err


@pytest.mark.parametrize(("oci", "docker", "got"), [("", "", "neither"), ("a", "b", "both")])
def test_it_is_exported_to_one_place_and_nothing_is_built_before_that_is_known(root, oci, docker, got, capsys):
    with pytest.raises(InputError) as raised:
        verbs.export(root, "local", "picture", oci=oci, docker=docker)
    assert raised.value.summary == f"expected one of --oci DIR and --docker FILE, got {got}"
    assert raised.value.hint == "run `invoke image.export picture --oci DIR`"
    assert capsys.readouterr().err == ""


def test_what_is_there_already_is_not_written_over(root, capsys):
    write_files(root, {"out/mine": "", "out.tar": "mine"})
    for places in ({"oci": str(root / "out"), "docker": ""}, {"oci": "", "docker": str(root / "out.tar")}):
        with pytest.raises(InputError):
            verbs.export(root, "local", "picture", **places)
    assert (root / "out.tar").read_text("utf-8") == "mine"
    assert [path.name for path in (root / "out").iterdir()] == ["mine"]


# ── what is refused ───────────────────────────────────────────────────────────────────────────


def refusal(root: Path, name: str) -> InputError:
    with pytest.raises(InputError) as shown:
        verbs.show(root, "local", name, as_json=False)
    with pytest.raises(InputError) as exported:
        verbs.export(root, "local", name, oci=str(root / "out"), docker="")
    assert str(shown.value) == str(exported.value)
    assert not (root / "out").exists()
    return shown.value


def test_a_zip_is_no_image_and_there_is_a_verb_that_looks_into_it(root):
    refused = refusal(root, "zipped")
    assert refused.summary == "functions/zipped is no image"
    assert refused.facts == ('expected package = "image" in its function.toml, got "zip"',)
    assert refused.hint == "run `invoke size -f zipped` for what is in its zip"


def test_a_function_that_is_not_there_is_told_with_those_that_are(root):
    refused = refusal(root, "pictur")
    assert refused.facts == ("expected one of: picture, zipped",)


def test_where_no_function_is_an_image_there_is_no_base_to_fetch(root):
    write_files(root, {"functions/picture/function.toml": 'description = "x"\n'})
    with pytest.raises(InputError, match="there is no base to fetch") as raised:
        verbs.pull_base(root, upgrade=False)
    assert 'package = "image"' in raised.value.hint
    assert not (root / PINS).exists()
