import csv
import random
import zipfile

from build.model import Wheel
from build.store.objects import Store
from build.wheels.canonical import write_canonical
from build.wheels.surveys import surveyed
from tests.builders import make_wheel


def rezipped(wheel, path, *, seed):
    """The same content as another tool might zip it."""
    chance = random.Random(seed)
    with zipfile.ZipFile(wheel.path) as before, zipfile.ZipFile(path, "w") as after:
        for name in chance.sample(before.namelist(), len(before.namelist())):
            data = before.read(name)
            if name.endswith("/WHEEL"):
                data = data.replace(b"Generator: tests", f"Generator: tests {seed}".encode())
            info = zipfile.ZipInfo(name, (2000 + seed, 1, 1, 0, 0, 0))
            info.compress_type = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
            info.external_attr = (0o100755 if name == "demo/run" else chance.choice([0o100600, 0o100664])) << 16
            after.writestr(info, data)
        after.writestr("demo/__pycache__/__init__.cpython-313.pyc", str(seed))
        after.writestr("demo/empty/", "")
    return path


def test_the_same_content_gives_the_same_bytes_however_it_was_zipped(tmp_path):
    files = {"demo/__init__.py": "x = 1\n" * 99, "demo/run": "#!/bin/sh\n", 'demo/a,"b".txt': "ü", "ümlaut.py": ""}
    wheel = make_wheel(tmp_path, "demo", files=files)
    results = []
    final = tmp_path
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        final = folder / wheel.path.name
        digest = write_canonical(rezipped(wheel, folder / "in.whl", seed=seed), final, folder)
        # The survey holds RECORD against every byte.
        surveyed(Wheel(name="demo", version="1.0", path=final, digest=digest), Store(tmp_path / "store"))
        results.append((digest, final.read_bytes()))
    assert results[0] == results[1]
    with zipfile.ZipFile(final) as archive:
        assert archive.namelist() == sorted(archive.namelist())
        assert set(files) < set(archive.namelist())
        assert [i.filename for i in archive.infolist() if i.external_attr >> 16 & 0o111] == ["demo/run"]
        assert b"Generator: slipway\n" in archive.read("demo-1.0.dist-info/WHEEL")
        rows = list(csv.reader(archive.read("demo-1.0.dist-info/RECORD").decode().splitlines()))
        assert [row[0] for row in rows] == archive.namelist()
