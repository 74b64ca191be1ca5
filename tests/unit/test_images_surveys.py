"""What a layer of somebody else's is like, as far as Lambda minds."""

import gzip
import json
from pathlib import Path

import pytest

from build.images.layers import write_layer
from build.images.surveys import LayerSurvey, Remark, laid_over, survey_layer
from build.zips.spill import Spill
from tests.tiny_images import Member, tar

FINE: list[Member] = [("var", 0o755, None), ("var/task", 0o755, None), ("var/task/app.py", 0o644, b"x = 1\n")]


def surveyed(folder: Path, data: bytes, **named) -> LayerSurvey:
    (folder / "layer").write_bytes(data)
    return survey_layer(folder / "layer", **named)


def test_a_layer_as_lambda_wants_it_has_nothing_to_be_said_of_it(tmp_path):
    data = tar(FINE)
    survey = surveyed(tmp_path, gzip.compress(data))
    assert survey == LayerSurvey(
        compression="gzip",
        unpacked_bytes=len(data),
        paths=("var", "var/task", "var/task/app.py"),
        orphans=(),
        unreadable=(),
        remarks=(),
    )
    assert LayerSurvey.read(survey.noted) == survey


def test_our_own_layers_have_nothing_to_be_said_of_them(tmp_path):
    with Spill(tmp_path / "spill") as spill:
        tree = (spill.add("deep/down/app.py", b"x = 1\n" * 9, owner=""), spill.add("z", b"", owner=""))
    layer = write_layer(tree, "var/task", tmp_path / "layer")
    survey = survey_layer(tmp_path / "layer")
    assert (survey.orphans, survey.unreadable, survey.compression) == ((), (), "gzip")
    assert survey.unpacked_bytes == layer.unpacked_bytes


def test_what_has_no_folder_before_it_is_named(tmp_path):
    survey = surveyed(tmp_path, gzip.compress(tar([FINE[2], *FINE])))
    assert survey.orphans == ("var/task/app.py",)
    assert surveyed(tmp_path, gzip.compress(tar(FINE[::2]))).orphans == ("var/task/app.py",)


def test_folders_may_be_written_in_any_usual_way(tmp_path):
    usual: list[Member] = [("./", 0o755, None), ("./var/", 0o755, None), ("./var/app.py", 0o644, b"")]
    assert surveyed(tmp_path, gzip.compress(tar(usual))).orphans == ()


def test_names_that_are_no_utf_8_can_be_printed(tmp_path):
    survey = surveyed(tmp_path, gzip.compress(tar([("caf\udce9", 0o600, b"")])))
    assert survey.unreadable == ("caf?",)


def test_what_not_everybody_may_read_is_named(tmp_path):
    closed: list[Member] = [("var", 0o700, None), ("var/key", 0o600, b""), ("var/open", 0o644, b"")]
    assert surveyed(tmp_path, gzip.compress(tar(closed))).unreadable == ("var", "var/key")


@pytest.mark.parametrize(
    ("data", "compression"),
    [
        (tar(FINE), "none"),
        (gzip.compress(tar(FINE)[:1000]) + gzip.compress(tar(FINE)[1000:]), "gzip in several members"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
    ],
    ids=["none", "members", "zstd"],
)
def test_how_it_is_compressed_is_told(tmp_path, data, compression):
    assert surveyed(tmp_path, data).compression == compression


def test_files_are_looked_into_and_what_is_remarked_is_remembered(tmp_path):
    found = surveyed(
        tmp_path,
        gzip.compress(tar(FINE)),
        look=lambda path, stream: [("size", f"{len(stream.read())} bytes")] if path.endswith(".py") else [],
    )
    assert found.remarks == (Remark("var/task/app.py", "size", "6 bytes"),)
    assert LayerSurvey.read(json.loads(json.dumps(found.noted))) == found


def laid(folder: Path, *layers: list[Member]) -> dict[str, bool]:
    return laid_over(surveyed(folder, gzip.compress(tar(each))) for each in layers)


def test_a_later_layer_decides_who_may_read_a_file(tmp_path):
    closed: list[Member] = [("a", 0o755, None), ("a/b", 0o600, b"")]
    opened: list[Member] = [("a", 0o755, None), ("a/b", 0o644, b"")]
    assert laid(tmp_path, closed)["a/b"] is False
    assert laid(tmp_path, closed, opened)["a/b"] is True


@pytest.mark.parametrize(
    ("whiteout", "left"),
    [
        ("a/.wh.b", {"a", "ab", "a/new"}),
        (".wh.a", {"ab", "a", "a/new"}),
        ("a/.wh..wh..opq", {"a", "ab", "a/new"}),
        ("a/b/.wh.c", {"a", "ab", "a/b", "a/new"}),
    ],
)
def test_what_a_later_layer_takes_away_is_gone_and_nothing_else(tmp_path, whiteout, left):
    below: list[Member] = [("a", 0o755, None), ("a/b", 0o755, None), ("a/b/c", 0o644, b""), ("ab", 0o644, b"")]
    above: list[Member] = [("a", 0o755, None), (whiteout, 0o000, b""), ("a/new", 0o644, b"")]
    assert set(laid(tmp_path, below, above)) == left


@pytest.mark.parametrize("data", [gzip.compress(tar(FINE))[:-20], b"nonsense" * 100], ids=["cut off", "no tar"])
def test_what_is_no_layer_is_refused(tmp_path, data):
    with pytest.raises(ValueError, match="no layer"):
        surveyed(tmp_path, data)
