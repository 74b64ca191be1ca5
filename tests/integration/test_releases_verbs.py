"""`releases.show`, `releases.diff`, `metrics` and `verify --record`, by the verbs alone, in a small checkout."""

import json
import subprocess

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import Checkout, make_checkout

pytestmark = pytest.mark.slow

APP = "import os\nimport teapot\n\ndef handler(event, context):\n    return os.environ['SLIPWAY_ARTIFACT_DIGEST']\n"
SETTINGS = 'description = "Pours"\nmemory_mb = 256\n[environment]\nGREETING = "good day"\n'


def commit(checkout):
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *words], cwd=checkout.root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A function in two releases: with another version of what it wants, other code and other settings."""
    index = tmp_path_factory.mktemp("index")
    old, new = (make_wheel(index, "teapot", version, files={"teapot.py": "X = 1\n"}) for version in ("1.0", "1.1"))
    checkout = Checkout(make_checkout(tmp_path_factory.mktemp("clone")).root, {"PIP_FIND_LINKS": str(index)})
    for wheel, app, settings in (
        (old, APP, SETTINGS),
        (new, APP.replace("return", "return 'digest', "), SETTINGS.replace("256", "512").replace("day", "evening")),
    ):
        checkout.write("functions/pourer/function.toml", settings)
        checkout.write("functions/pourer/requirements.txt", lock_line(wheel))
        checkout.write("functions/pourer/src/app.py", app)
        commit(checkout)
        checkout.run("deploy")
    yield checkout
    checkout.close()


def test_what_runs_leads_to_its_release(shop):
    digest = json.loads(shop.run("invoke", "-f", "pourer").stdout)[1]
    row = shop.json("releases.show", digest)
    assert (row["id"], row["digest"], row["also"]) == ("2", digest, [])
    assert row["artifacts"]["functions/pourer"]["distributions"] == {"teapot": "1.1"}
    assert "good evening" not in json.dumps(row)
    assert row["commit"] in shop.run("releases.show", "latest").stdout
    assert shop.json("releases.show", "1")["live"] == {"pourer": "1"}
    assert [each["id"] for each in shop.json("releases")] == ["2", "1"]
    unknown = shop.run("releases.show", "77", code=2)
    assert unknown.stderr.endswith("hint: run `invoke releases --env local`\n")


def test_two_releases_are_compared_down_to_the_file(shop):
    said = shop.run("releases.diff", "1", "2").stdout
    for line in ("~ teapot 1.0 → 1.1", "~ app.py  +11 B", "~ memory_mb 256 → 512", "~ environment GREETING"):
        assert f"  {line}\n" in said, said
    assert "callers reach version\n  ~ pourer 1 → 2\n" in said
    assert "good" not in said
    found = shop.json("releases.diff", "1", "2")
    paths = [each["path"] for each in found["files"]["functions/pourer"]["files"] if not each["owner"]]
    assert "app.py" in paths


def test_who_builds_it_again_shows_in_the_metrics(shop):
    assert shop.json("metrics")["verified"] == {"count": 0, "of": 0}
    shop.run("verify", "--record")
    figures = shop.json("metrics")
    assert (figures["verified"], figures["rebuilt"]) == ({"count": 1, "of": 1}, {"count": 1, "of": 1})
    assert (figures["failures"], figures["pins"]) == ({"count": 0, "of": 2}, {"count": 1, "of": 1})
    assert [each["id"] for each in shop.json("releases")] == ["2", "1"]
    said = shop.run("metrics", "--html", "--since", "2")
    assert "Deploys" in (shop.root / ".artifacts" / "local" / "metrics.html").read_text("utf-8")
    assert said.stdout == ""
    assert "Change failure rate: 0 of 2\n" in shop.run("metrics", "--since", "2").stdout
