"""Wrong input ends in its own error, with its exit code and a hint, and leaves nothing half-done."""

import random
import shutil
from pathlib import Path

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import make_checkout

pytestmark = pytest.mark.slow

SETTINGS = 'description = "x"\n'
HANDLER = "def handler(event, context):\n    return event\n"


@pytest.fixture
def checkout(tmp_path, package_index):
    checkout = make_checkout(tmp_path / "clone")
    checkout.write("functions/orders/function.toml", SETTINGS)
    checkout.write("functions/orders/src/app.py", HANDLER)
    return checkout


def refused(checkout, *verb, code, **environ):
    done = checkout.run(*verb, code=code, **environ)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: "), done.stderr
    return done.stderr


def nothing_was_made(checkout):
    """No artifact, no hand-off, no plan, no cloud."""
    made = {path.relative_to(checkout.root) for path in (checkout.root / ".artifacts").rglob("*") if path.is_file()}
    return not [path for path in made if path.suffix in {".zip", ".tfplan"} or path.name.startswith("handoff")]


def test_an_unknown_key_is_told_with_the_one_that_was_meant(checkout):
    checkout.write("functions/orders/function.toml", SETTINGS + "memory = 1\n")
    said = refused(checkout, "deploy", code=2)
    assert "functions/orders/function.toml" in said
    assert "memory_mb" in said
    assert nothing_was_made(checkout)


def test_problems_of_all_files_come_at_once(checkout):
    checkout.write("functions/orders/function.toml", SETTINGS + "timeout_s = 901\n")
    checkout.write("functions/other/src/app.py", HANDLER)
    checkout.write("functions/other/function.toml", SETTINGS + 'layers = ["none"]\n')
    checkout.write("layers/data/layer.toml", 'description = 1\nruntimes = ["python2.7"]\narchitectures = []\n')
    said = refused(checkout, "build", code=2)
    for name in ("timeout_s", "none", "layers/data/layer.toml", "python2.7", "architectures"):
        assert name in said


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("def other(event, context): ...\n", 1, "handler-function"),
        ("def handler(): ...\n", 1, "handler-arguments"),
        ("def handler(:\n", 2, "src/app.py: line 1"),
    ],
)
def test_a_handler_that_lambda_could_not_call_stops_the_build(checkout, source, code, said):
    checkout.write("functions/orders/src/app.py", source)
    assert said in refused(checkout, "build", code=code)


def test_a_stale_lock_stops_before_anything_is_fetched(checkout):
    checkout.write("functions/orders/requirements.in", "six\n")
    said = refused(checkout, "deploy", code=2)
    assert "expected a lock of requirements.in, got no file" in said
    assert "invoke lock" in said
    assert refused(checkout, "lock", "--check", code=2)
    assert nothing_was_made(checkout)


def test_a_distribution_without_a_wheel_for_the_target_is_named(checkout, package_index):
    other = make_wheel(package_index, "fast", tag="cp39-cp39-win_amd64")
    checkout.write("functions/orders/requirements.txt", lock_line(other))
    said = refused(checkout, "build", code=2)
    assert "functions/orders/requirements.txt: fast 1.0 on python3.13" in said
    assert nothing_was_made(checkout)


def test_a_corrupt_wheel_in_the_store_is_found_by_verify_and_fetched_anew_where_it_is_needed(checkout, package_index):
    checkout.write("functions/orders/requirements.txt", lock_line(make_wheel(package_index, "six")))
    checkout.run("build")
    (stored,) = (checkout.root / ".artifacts/store/wheels").glob("*/*.whl")
    right = stored.read_bytes()
    stored.write_bytes(b"x" + right[1:])
    checkout.write("functions/orders/src/app.py", "def handler(event, context):\n    return 2\n")
    checkout.run("build")
    assert stored.read_bytes() == right
    stored.write_bytes(b"x" + right[1:])
    assert stored.name in refused(checkout, "store.verify", code=1)
    assert not stored.exists()


def test_a_function_beyond_250_mb_with_its_layers_is_refused(checkout, package_index):
    # Deflate looks back 32 kB: this shrinks to a thirtieth, and is no bomb.
    half = (random.Random(0).randbytes(1_200) + bytes(38_800)) * 3_500
    for folder in ("layers/data", "functions/orders"):
        wheel = make_wheel(package_index, folder.replace("/", "-"), files={f"{folder}/large.bin": half})
        checkout.write(f"{folder}/requirements.txt", lock_line(wheel))
    checkout.write(
        "layers/data/layer.toml", SETTINGS + 'runtimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]\n'
    )
    checkout.write("functions/orders/function.toml", SETTINGS + 'layers = ["data"]\n')
    said = refused(checkout, "build", code=1)
    assert "function-size" in said
    assert "262,144,000" in said
    assert "layers-data" in said, "the largest distributions are named"


def test_without_credentials_plan_for_prod_ends_before_anything_is_touched(checkout):
    said = refused(checkout, "plan", "--env", "prod", code=5)
    assert "Unable to locate credentials" in said
    assert "env prod" in said
    assert nothing_was_made(checkout)


def test_an_env_that_nobody_described_is_told_with_those_there_are(checkout):
    assert "local" in refused(checkout, "plan", "--env", "nowhere", code=2)


def test_without_terraform_and_network_the_error_says_how_to_get_it(checkout, tmp_path):
    (checkout.root / ".artifacts/bin").unlink()  # the shared one may hold a fetched Terraform
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("git", "ps"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    nowhere = "http://127.0.0.1:9"
    assert "Terraform" in refused(checkout, "deploy", code=4, PATH=str(tools), https_proxy=nowhere, HTTPS_PROXY=nowhere)
    assert nothing_was_made(checkout)
    assert checkout.json("local.status")["pid"] is None


def test_a_mirror_without_the_provider_is_told_before_anything_is_made(checkout, tmp_path):
    assert "SLIPWAY_PROVIDER_MIRROR" in refused(checkout, "deploy", code=2, SLIPWAY_PROVIDER_MIRROR=str(tmp_path))
    assert nothing_was_made(checkout)
    assert checkout.json("local.status")["pid"] is None


@pytest.mark.parametrize("since", ["x", "-5", "1w", ""])
def test_a_stretch_of_time_that_is_none_is_told(checkout, since):
    assert "no stretch of time" in refused(checkout, "logs", "-f", "orders", f"--since={since}", code=2)


def test_an_empty_repository_has_nothing_to_deploy_and_a_new_function_then_builds(tmp_path):
    checkout = make_checkout(tmp_path)
    done = checkout.run("deploy")
    assert "nothing to deploy" in done.stderr
    assert "invoke new hello" in done.stderr
    checkout.run("new", "hello")
    assert [row["name"] for row in checkout.json("build")["functions"]] == ["hello"]
    assert "already" in refused(checkout, "new", "hello", code=2)


def test_destroying_a_real_env_must_be_asked_for_twice(checkout):
    assert "--yes" in refused(checkout, "destroy", "--env", "prod", code=2)


def test_the_embedded_cloud_starts_tells_where_it_is_and_ends(checkout):
    assert checkout.json("local.status")["pid"] is None
    checkout.run("local.start")
    told = checkout.json("local.status")
    assert told["endpoint"].startswith("http://127.0.0.1:")
    assert Path(told["log"]).exists()
    assert f"pid {told['pid']}" in checkout.run("local.stop").stderr
    assert checkout.json("local.status")["pid"] is None
    assert "no embedded cloud" in checkout.run("local.stop").stderr
