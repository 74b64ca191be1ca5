"""`size`, `why`, `diff` and the bills of materials, by the verbs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import Checkout, make_checkout

pytestmark = pytest.mark.slow

ORDERS = 'description = "Orders"\nlayers = ["rack"]\n'
RACK = 'description = "Rack"\nruntimes = ["python3.13"]\narchitectures = ["x86_64"]\n'


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    index = tmp_path_factory.mktemp("index")
    web = make_wheel(index, "web", "2.0", requires=["teapot[glaze]~=1.0", "colour ; sys_platform == 'win32'"])
    teapot = make_wheel(index, "teapot", "1.4", requires=["paint>=0.5 ; extra == 'glaze'", "lid ; extra == 'lid'"])
    paint = make_wheel(index, "paint", files={"paint/tests/test_paint.py": "x = 1\n" * 99, "paint/__init__.py": ""})
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull}
    checkout = Checkout(make_checkout(tmp_path_factory.mktemp("shop")).root, environ)
    checkout.write("functions/orders/function.toml", ORDERS)
    checkout.write("functions/orders/requirements.in", "web>=2\n")
    checkout.write("functions/orders/requirements.txt", lock_line(web) + lock_line(teapot) + lock_line(paint))
    checkout.write("functions/orders/src/app.py", "import web\n\ndef handler(event, context):\n    return 1\n")
    checkout.write("layers/rack/layer.toml", RACK)
    checkout.write("layers/rack/requirements.in", "paint\n")
    checkout.write("layers/rack/requirements.txt", lock_line(paint))
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *words], cwd=checkout.root, check=True, capture_output=True)
    return checkout


@pytest.fixture(scope="module")
def built(shop):
    return shop.json("build")


def test_size_shows_a_function_with_its_layers_and_what_slimming_left_out(shop, built):
    said = shop.run("size").stdout
    assert "functions/orders" in said
    assert "layers/rack" in said
    assert "teapot 1.4" in said
    assert "left out: tests 594 B" in said


def test_size_in_json_adds_up(shop, built):
    (orders,) = shop.json("size", "-f", "orders")
    (row,), (layer,) = built["functions"], built["layers"]
    assert orders["unzipped_bytes"] == row["unzipped_bytes"] + layer["unzipped_bytes"]
    assert sum(orders["kinds"].values()) == sum(each["unzipped_bytes"] for each in orders["holds"])
    assert orders["saved_bytes"] == {"tests": 594}
    (rack,) = [each for each in orders["holds"] if each["name"] == "layers/rack"]
    assert [each["name"] for each in rack["holds"]] == ["paint"]


def test_size_writes_a_page(shop, built):
    assert "size.html" in shop.run("size", "--html").stderr
    assert "functions/orders" in (shop.root / ".artifacts/reports/size.html").read_text("utf-8")


def test_why_shows_the_chain_of_what_a_layer_brings(shop, built):
    said = shop.run("why", "Paint", "-f", "orders").stdout.splitlines()
    assert said[0] == "paint 1.0 is in layers/rack, for python3.13 on x86_64"
    assert said[2:] == [
        "functions/orders/requirements.in wants web>=2",
        "└─ web 2.0 wants teapot[glaze]~=1.0",
        '   └─ teapot[glaze] 1.4 wants paint>=0.5 ; extra == "glaze"',
        "",
        "layers/rack/requirements.in wants paint",
    ]


def test_why_in_json_has_every_step(shop, built):
    said = shop.json("why", "teapot", "-f", "orders")
    assert said["found"] == {"functions/orders": "1.4"}
    (chain,) = said["reasons"]["functions/orders"]["chains"]
    assert [step["requirement"] for step in chain] == ["web>=2", "teapot[glaze]~=1.0"]


def test_why_tells_what_does_not_hold_on_the_target_and_ends_with_1(shop, built):
    done = shop.run("why", "colour", "-f", "orders", code=1)
    assert done.stdout.splitlines()[-1].endswith('web 2.0 wants colour ; sys_platform == "win32"')
    assert "nothing brings colour to functions/orders" in done.stderr


def test_why_offers_the_nearest_name(shop, built):
    assert "did you mean `teapot`?" in shop.run("why", "teapott", "-f", "orders", code=1).stderr


def test_why_knows_what_the_runtime_brings(shop, built):
    assert "boto3 comes with the runtime" in shop.run("why", "boto3", "-f", "orders").stdout


def test_a_build_leaves_a_bill_for_every_artifact_and_none_in_a_zip(shop, built):
    folder = shop.root / ".artifacts/sbom"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json")) == [
        "functions/orders.cdx.json",
        "layers/rack.cdx.json",
    ]
    bill = json.loads((folder / "functions/orders.cdx.json").read_text("utf-8"))
    assert {row["name"] for row in bill["components"]} == {"web", "teapot"}
    assert bill["metadata"]["component"]["hashes"][0]["content"] in built["functions"][0]["digest"]


@pytest.fixture
def upgraded(shop, built):
    """The function with another version of a distribution, and with one more file of its own."""
    index, lock = Path(shop.environ["PIP_FIND_LINKS"]), shop.root / "functions/orders/requirements.txt"
    newer = make_wheel(index, "teapot", "1.5", requires=["paint>=0.5 ; extra == 'glaze'"])
    before = lock.read_text("utf-8")
    kept = "".join(f"{line}\n" for line in before.splitlines() if not line.startswith("teapot"))
    lock.write_text(kept + lock_line(newer), "utf-8")
    more = shop.write("functions/orders/src/more.py", "x = 1\n")
    yield shop
    lock.write_text(before, "utf-8")
    more.unlink()


def test_since_a_commit_distributions_and_files_are_told(upgraded):
    artifacts = upgraded.json("diff", "--from", "HEAD")["artifacts"]
    assert list(artifacts) == ["functions/orders"]
    (teapot,) = artifacts["functions/orders"]["distributions"]
    assert (teapot["name"], teapot["before"], teapot["after"]) == ("teapot", "1.4", "1.5")
    assert "more.py" in [file["path"] for file in artifacts["functions/orders"]["files"]]


def test_a_zip_from_elsewhere_can_be_compared_with_the_function(upgraded, built):
    said = upgraded.run("diff", "--from", built["functions"][0]["path"], "-f", "orders").stdout
    assert "~ teapot 1.4 → 1.5" in said
    assert "+ more.py  +6 B" in said


def test_two_zips_can_be_compared(upgraded, built):
    first, second = built["functions"][0]["path"], built["layers"][0]["path"]
    assert "− teapot 1.4" in upgraded.run("diff", "--from", first, "--to", second).stdout


def test_without_more_words_the_last_build_that_made_something_else_is_meant(upgraded, built):
    upgraded.run("build")
    assert list(upgraded.json("diff")["artifacts"]) == ["functions/orders"]


def test_no_difference_is_said_in_words(shop, built):
    assert shop.run("diff", "--from", "HEAD").stdout == "nothing changed since HEAD\n"


def test_a_zip_alone_has_nothing_to_be_compared_with(shop, built):
    zipped = built["functions"][0]["path"]
    assert "-f NAME" in shop.run("diff", "--from", zipped, code=2).stderr
    assert "no zip: none.zip" in shop.run("diff", "--from", zipped, "--to", "none.zip", code=2).stderr
