"""What the review of a plan is made of: real zips laid side by side, and which imports are measured, and which not."""

from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from build import reviews
from build.digest import Digest
from build.errors import ToolError
from build.images.assembled import remember_zips
from build.local import runtime_bundle
from build.local.importing import Race
from build.review.changes import Change
from build.review.words import Verdict
from tests.aws import client_of
from tests.reviewing import BUCKET, Shop
from tests.tiny_images import layer, make_image

ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture
def raced(monkeypatch):
    """Handlers whose import is measured, in order; each takes twice as long as before."""
    names: list[str] = []

    def race(before, after, *_, **__):
        names.append(after.function.name)
        return Race(before_ms=(100.0, 101.0), after_ms=(200.0, 201.0))

    monkeypatch.setattr(reviews, "race", race)
    monkeypatch.setattr(runtime_bundle, "ensure", lambda *_, **__: None)
    return names


def times(review):
    return {each.name: each.import_time and each.import_time.text for each in review.functions}


# ── what is new ───────────────────────────────────────────────────────────────────────────────


def test_a_new_function_lists_all_it_brings_and_its_size(shop):
    shop.function({}, name="old").release()
    (new,) = (each for each in _with_new(shop).functions if each.name == "new")
    assert new.change is Change.ADDED
    assert new.code
    assert new.code.is_known
    assert [(each.name, each.before, each.after, each.step) for each in new.code.dependencies] == [
        ("idna", None, "1.0", "added"),
        ("requests", None, "1.0", "added"),
    ]
    assert [(each.path, each.change) for each in new.code.files] == [("app.py", Change.ADDED)]
    assert new.code.zip_bytes
    assert new.code.zip_bytes[0] == 0 < new.code.zip_bytes[1]


def _with_new(shop):
    wheels = [shop.wheel(name, f"{name}.py") for name in ("requests", "idna")]
    return shop.function({}, name="new", wheels=wheels).review()


def test_what_a_new_function_brings_is_no_reason_of_its_own(shop):
    shop.function({}, name="old").release()
    review = _with_new(shop)
    assert [(each.rule, each.subject) for each in review.reasons] == [("function-added", "functions/new")]


def test_before_the_first_release_everything_is_new(shop):
    review = _with_new(shop)
    assert [each.change for each in review.functions] == [Change.ADDED]
    assert review.functions[0].code.is_known
    assert review.functions[0].import_time is None, "there is nothing to compare it with"


def test_a_function_that_runs_but_is_not_in_the_ledger_does_not_pass_for_one_without_dependencies(shop):
    shop.function({"app.py": "OLD = 1\n"}, name="lost").release()
    (lost,) = shop.function({}, name="lost").review(forgotten="lost").functions
    assert lost.code
    assert (lost.change, lost.code.is_known, lost.code.dependencies) == (Change.CHANGED, False, ())


def test_what_runs_is_fetched_from_the_bucket_and_what_nobody_has_is_not_compared(shop, raced):
    with mock_aws():
        s3 = client_of("s3", region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        shop.function({"app.py": "OLD = 1\n"}, name="kept").function({"app.py": "OLD = 2\n"}, name="gone").release()
        for name in ("kept", "gone"):
            artifact = shop.newest["handoff"]["functions"][name]["artifact"]
            place = next((shop.root / ".artifacts/store").rglob(f"*{artifact['digest_hex'][2:]}*"))
            if name == "kept":
                s3.put_object(Bucket=BUCKET, Key=artifact["key"], Body=place.read_bytes())
            place.unlink()
        review = shop.function({"app.py": "NEW = 1\n"}, name="kept").function({}, name="gone").review()
    assert {each.name: each.code.is_known for each in review.functions} == {"kept": True, "gone": False}
    assert times(review) == {
        "gone": "import not measured: its code, or a layer's, could not be read",
        "kept": "import 0.10 s → 0.20 s (+0.10 s)",
    }
    assert ("code-unknown", "functions/gone") in {(each.rule, each.subject) for each in review.reasons}


# ── which imports are measured ────────────────────────────────────────────────────────────────


def test_only_functions_whose_code_or_layers_change_are_imported(shop, raced):
    shop.layer("data", {"data.py": "OLD = 1"})
    shop.function({}, name="same").function({}, name="own").function({}, name="layered", layers=("data",)).release()
    shop.layer("data", {"data.py": "NEW = 1"}).function({"app.py": "NEW = 1"}, name="own").function({}, name="new")
    review = shop.review()
    assert sorted(raced) == ["layered", "own"]
    assert times(review)["layered"] == "import 0.10 s → 0.20 s (+0.10 s)"
    assert times(review)["new"] is None


def test_a_function_that_gets_or_loses_a_layer_is_imported(shop, raced):
    shop.layer("data", {"data.py": ""}).function({}, name="f", layers=("data",)).function({}, name="g").release()
    shop.function({}, name="f").function({}, name="g", layers=("data",)).review()
    assert sorted(raced) == ["f", "g"]


def test_a_layer_that_is_not_of_the_repository_is_no_change_of_code(shop, raced):
    shop.function({}, name="f", layers=(ARN,)).release()
    shop.function({}, name="f", layers=(ARN.replace(":7", ":8"),)).review()
    assert raced == []


def test_of_many_those_that_change_most_are_imported_and_of_the_others_it_is_said(shop, raced):
    for number in range(8):
        shop.function({}, name=f"f{number}")
    shop.release()
    for number in range(8):
        shop.function({"app.py": f"NEW = '{'x' * (100 + 10 * number)}'"}, name=f"f{number}")
    review = shop.review()
    assert raced == ["f7", "f6", "f5", "f4", "f3"]
    assert [name for name, text in times(review).items() if text == "import not measured: 5 others change more"] == [
        "f0",
        "f1",
        "f2",
    ]


def test_a_plan_that_changes_nothing_imports_nothing(shop, raced):
    shop.function({"app.py": "OLD = 1\n"}, name="f").release().function({}, name="f")
    shop.review(changes=False)
    assert raced == []


def test_what_lambda_brings_is_asked_for_once_and_without_it_nothing_is_measured(shop, raced, monkeypatch):
    asked = []

    def ensure(_, runtime, **__):
        asked.append(runtime)
        raise ToolError("installing what Lambda's python3.13 runtime holds failed", hint="run `invoke doctor`")

    monkeypatch.setattr(runtime_bundle, "ensure", ensure)
    monkeypatch.setattr(reviews, "host_architecture", lambda: shop.architecture)
    shop.function({"app.py": "OLD = 1\n"}, name="f").function({"app.py": "OLD = 2\n"}, name="g").release()
    review = shop.function({}, name="f").function({}, name="g").review()
    assert set(times(review).values()) == {
        "import not measured: installing what Lambda's python3.13 runtime holds failed"
    }
    assert (len(asked), raced) == (1, [])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ToolError("no Python 3.13 on this machine", hint="run `invoke doctor`"), "no Python 3.13 on this machine"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_goes_wrong_with_a_measurement_is_said_and_the_review_goes_on(shop, raced, monkeypatch, error, said):
    def race(*_, **__):
        raise error

    monkeypatch.setattr(reviews, "race", race)
    shop.function({"app.py": "OLD = 1\n"}, name="f").release()
    review = shop.function({}, name="f").review()
    assert times(review) == {"f": f"import not measured: {said}"}


def test_how_long_an_import_takes_changes_neither_verdict_nor_digest(shop, raced, monkeypatch):
    shop.function({"app.py": "OLD = 1\n"}, name="f").release().function({}, name="f")
    slower = shop.review()
    monkeypatch.setattr(reviews, "race", lambda *_, **__: Race(not_run="arm64 on x86_64"))
    unknown = shop.review()
    assert times(slower) != times(unknown)
    assert (slower.verdict, slower.reasons, slower.digest) == (unknown.verdict, unknown.reasons, unknown.digest)
    assert slower.verdict is Verdict.SAFE


# ── images ────────────────────────────────────────────────────────────────────────────────────


def test_the_zip_of_an_image_is_found_in_the_store_alone(shop):
    image, zipped = make_image(None, layer({})), Digest.of_bytes(b"zip")
    artifact = {"digest_hex": image.digest.hex, "key": f"example.invalid/shop/f@{image.digest}", "size_bytes": 0}
    nobody: Any = SimpleNamespace(client=lambda _: pytest.fail("the bucket has no images"))
    assert reviews.fetched(artifact, nobody, shop.store) is None
    remember_zips(image, [zipped], shop.store)
    assert reviews.fetched(artifact, nobody, shop.store) is None
    shop.store.artifact(zipped).parent.mkdir(parents=True, exist_ok=True)
    shop.store.artifact(zipped).write_bytes(b"zip")
    assert reviews.fetched(artifact, nobody, shop.store) == shop.store.artifact(zipped)
