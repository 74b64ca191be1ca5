from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.digest import Digest
from build.images.assembled import remember_zips
from build.local.importing import _BEGIN, _top_level, code_of_release
from build.model import IMAGE
from build.store.objects import Store
from tests.builders import function_spec
from tests.tiny_images import layer, make_image

PRINTED = f"""import time:       100 |        100 | site
{_BEGIN}
import time:      1000 |       1000 |       zlib
import time:      2000 |       3000 |     pkg.deep
import time:      4000 |       7000 |   pkg
import time:      1000 |       8000 | other
import time:       500 |        500 |   zlib.more
import time:      1500 |       2000 | pkg.late
"""
"""As Python prints it: the innermost first, two spaces deeper for each level."""


def test_the_time_of_a_module_has_all_it_imports_and_counts_nothing_twice():
    assert sorted(_top_level(PRINTED)) == [("other", 8.0), ("pkg", 9.0), ("zlib", 1.5)]


# ── the code of an image that was released ────────────────────────────────────────────────────

IMAGE_MADE = make_image(None, layer({"var/task/app.py": ""}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def kept(store: Store, *names: str) -> list[Digest]:
    """Put zips into the store."""
    digests = [Digest.of_bytes(name.encode()) for name in names]
    for digest, name in zip(digests, names, strict=True):
        store.artifact(digest).parent.mkdir(parents=True, exist_ok=True)
        store.artifact(digest).write_text(name, "utf-8")
    return digests


def code_then(store: Store, folder: Path):
    spec = replace(function_spec(folder / "functions/orders"), package=IMAGE)
    then: dict[str, Any] = {
        "image_uri": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/orders@{IMAGE_MADE.digest}",
        "artifact": None,
        "layers": [],
        "runtime": "python3.12",
        "architecture": "arm64",
        "handler": "then.handler",
        "environment": {"WORD": "then", "SLIPWAY_ARTIFACT_DIGEST": "x"},
    }
    return code_of_release(spec, {"handoff": {"functions": {"orders": then}, "layers": {}}}, store)


def test_the_code_of_an_image_is_the_zips_that_it_was_made_of(store, tmp_path):
    code, *layers = kept(store, "code", "below", "above")
    remember_zips(IMAGE_MADE, [code, *layers], store)
    found = code_then(store, tmp_path)
    assert found
    assert (found.digest, found.layers) == (code, tuple(layers))
    assert (str(found.function.target), found.function.handler) == ("python3.12 on arm64", "then.handler")
    assert found.function.environment == {"WORD": "then"}


def test_the_code_of_an_image_that_was_made_elsewhere_or_is_gone_is_not_known(store, tmp_path):
    assert code_then(store, tmp_path) is None
    digests = kept(store, "code", "below")
    remember_zips(IMAGE_MADE, digests, store)
    store.artifact(digests[1]).unlink()
    assert code_then(store, tmp_path) is None
