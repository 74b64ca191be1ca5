"""What a layer of somebody else's is like, as far as Lambda minds."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from build.images.layers import write_layer
from build.images.surveys import LayerSurvey, survey_layer
from build.zips.spill import Spill

Member = tuple[str, int, bytes | None]
FINE: list[Member] = [("var", 0o755, None), ("var/task", 0o755, None), ("var/task/app.py", 0o644, b"x = 1\n")]


def tar(members: list[Member]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, mode, content in members:
            info = tarfile.TarInfo(name)
            info.mode, info.size = mode, len(content or b"")
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(content or b""))
    return held.getvalue()


def surveyed(folder: Path, data: bytes, **named) -> LayerSurvey:
    (folder / "layer").write_bytes(data)
    return survey_layer(folder / "layer", **named)


def test_a_layer_as_lambda_wants_it_has_nothing_to_be_said_of_it(tmp_path):
    data = tar(FINE)
    survey = surveyed(tmp_path, gzip.compress(data))
    assert survey == LayerSurvey(compression="gzip", unpacked_bytes=len(data), orphans=(), unreadable=(), secrets=())
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


def test_files_are_looked_into(tmp_path):
    found = surveyed(
        tmp_path,
        gzip.compress(tar(FINE)),
        look=lambda path, data: [f"{len(data)} bytes"] if path.endswith(".py") else [],
    )
    assert found.secrets == ("var/task/app.py: 6 bytes",)


@pytest.mark.parametrize("data", [gzip.compress(tar(FINE))[:-20], b"nonsense" * 100], ids=["cut off", "no tar"])
def test_what_is_no_layer_is_refused(tmp_path, data):
    with pytest.raises(ValueError, match="no layer"):
        surveyed(tmp_path, data)
