"""Images from archives of the store: which layers they get, and what is made again when something changes."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build.digest import Digest
from build.image import CONFIGS, OCI, Image, Layer, Part
from build.images import assembled
from build.images.assembled import assemble, key_of, layers_of, make_layers, split
from build.images.layers import write_layer
from build.store.objects import Store
from build.zips.archives import write_archive
from build.zips.spill import Spill
from build.zips.trees import Tree
from tests.unit.test_images_layers import content

NOISE = random.Random(3).randbytes(400_000)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are large from 100 kB on, so that tests need not be."""
    monkeypatch.setattr(assembled, "LARGE_BYTES", 100_000)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def tree_of(folder: Path, files: dict[str, bytes]) -> Tree:
    folder.mkdir(parents=True, exist_ok=True)
    with Spill(folder / "spill") as spill:
        return tuple(spill.add(path, data, owner="tests") for path, data in sorted(files.items()))


def archived(folder: Path, dependencies: dict[str, bytes], own: dict[str, bytes]) -> tuple[Part, Part]:
    """The two parts of a function's archive."""
    first, rest = tree_of(folder / "first", dependencies), tree_of(folder / "rest", own)
    write_archive(first, rest, folder / "a.zip")
    return (
        Part(archive=folder / "a.zip", key=key_of(*dependencies.items()), folder="var/task", end=len(first)),
        Part(archive=folder / "a.zip", key=key_of(*own.items()), folder="var/task", start=len(first)),
    )


def base() -> Image:
    body = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    manifest = f'{{"config":{{"mediaType":"{CONFIGS[OCI]}","digest":"{Digest.of_bytes(body)}","size":9}},"layers":[]}}'
    return Image.read(manifest.encode(), body)


LARGE = {"heavy/core.so": NOISE[:150_000], "heavy/__init__.py": b"", "wide/a.so": NOISE[150_000:300_000]}
SMALL = {"six.py": b"x = 1\n", "tiny/__init__.py": b"y = 1\n", "tiny-1.0.dist-info/METADATA": b"Name: tiny\n"}


def names(tree: Tree) -> list[str]:
    return [entry.path for entry in tree]


def test_large_packages_have_a_layer_of_their_own_and_the_rest_shares_one(tmp_path):
    made = list(split(tree_of(tmp_path, LARGE | SMALL)))
    assert {title: names(tree) for title, tree in made} == {
        "heavy": ["heavy/__init__.py", "heavy/core.so"],
        "wide": ["wide/a.so"],
        "": sorted(SMALL),
    }


def test_in_a_lambda_layer_packages_are_below_python(tmp_path):
    files = {f"python/{path}": data for path, data in {**LARGE, **SMALL}.items()} | {"bin/tool": b"#!\n"}
    assert len(list(split(tree_of(tmp_path, files)))) == 3


def test_no_part_has_more_layers_than_it_may_and_the_largest_packages_are_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(assembled, "MOST_ALONE", 2)
    files = {f"p{number}/a.so": NOISE[: 100_000 + number * 50_000] for number in range(1, 5)}
    made = [(title, names(tree)) for title, tree in split(tree_of(tmp_path, files))]
    assert made == [("p3", ["p3/a.so"]), ("p4", ["p4/a.so"]), ("", ["p1/a.so", "p2/a.so"])]


def test_nothing_gives_no_layer(tmp_path):
    assert list(split(())) == []


def test_an_image_holds_everything_and_the_code_comes_last(tmp_path, store):
    parts = archived(tmp_path, LARGE | SMALL, {"app.py": b"def handler(e, c): ...\n"})
    with ThreadPoolExecutor(2) as pool:
        image = assemble(base(), parts, store, pool, command=["app.handler"]).image
    assert image.settings["Cmd"] == ["app.handler"]
    found = [content(store.blob(layer.digest)) for layer in image.layers]
    assert [sorted(path for path, data in each.items() if data is not None) for each in found] == [
        ["var/task/heavy/__init__.py", "var/task/heavy/core.so"],
        ["var/task/wide/a.so"],
        [f"var/task/{path}" for path in sorted(SMALL)],
        ["var/task/app.py"],
    ]


def test_a_change_of_code_makes_one_layer_and_keeps_the_others(tmp_path, store, monkeypatch):
    with ThreadPoolExecutor(1) as pool:
        before = assemble(
            base(), archived(tmp_path / "1", LARGE | SMALL, {"app.py": b"1\n"}), store, pool, command=["app.handler"]
        ).image
        made: list[list[str]] = []

        def seen(tree: Tree, folder: str, path: Path) -> Layer:
            made.append(names(tree))
            return write_layer(tree, folder, path)

        monkeypatch.setattr(assembled, "write_layer", seen)
        after = assemble(
            base(), archived(tmp_path / "2", LARGE | SMALL, {"app.py": b"2\n"}), store, pool, command=["app.handler"]
        ).image
    assert made == [["app.py"]]
    assert before.layers[:-1] == after.layers[:-1]
    assert before.digest != after.digest


def test_functions_with_the_same_package_share_its_layer(tmp_path, store):
    one, _ = archived(tmp_path / "1", LARGE, {"a.py": b""})
    other, _ = archived(tmp_path / "2", LARGE | SMALL, {"a.py": b""})
    assert layers_of(one, store) == layers_of(other, store)[:2]


def test_layers_are_known_without_their_bytes_and_come_again_as_they_were(tmp_path, store):
    part, _ = archived(tmp_path, LARGE, {"a.py": b""})
    made = layers_of(part, store)
    for layer in made:
        store.blob(layer.digest).unlink()
    assert layers_of(part, store) == made
    assert not store.blob(made[0].digest).exists()
    assert make_layers(part, store) == made
    assert store.blob(made[0].digest).is_file()
