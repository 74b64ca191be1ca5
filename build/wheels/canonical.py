"""Wheels in one form: the same content gives the same bytes, whoever zipped it and when."""

import hashlib
import re
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

from build.digest import Digest
from build.zips.archives import write_archive
from build.zips.spill import Spill
from build.zips.trees import Entry

_MADE_ANEW = re.compile(r"[^/]+\.dist-info/RECORD(\.jws|\.p7s)?$")
_BYTECODE = re.compile(r"(^|/)__pycache__/")
_WHEEL_FILE = re.compile(r"[^/]+\.dist-info/WHEEL$")
_GENERATOR = re.compile(rb"^Generator:.*$", re.MULTILINE)


def write_canonical(wheel: Path, final: Path, scratch: Path) -> Digest:
    """Write ``wheel`` to ``final`` in the form of our archives; return its digest.

    Members are sorted and dated 1980, modes are 0644 or 0755, RECORD is made anew, and WHEEL does not say which
    release of which tool made it. Bytecode is left out: it holds times. Needs memory for its largest member.
    """
    with zipfile.ZipFile(wheel) as archive, Spill(scratch / "spill") as spill:
        entries = sorted(_entries(archive, spill))
    return write_archive((), tuple(entries), final).digest


def _entries(archive: zipfile.ZipFile, spill: Spill) -> Iterator[Entry]:
    record, rows = "RECORD", {}
    for name in {info.filename for info in archive.infolist() if not info.is_dir()}:
        if _MADE_ANEW.fullmatch(name) or _BYTECODE.search(name):
            continue
        data = archive.read(name)
        if _WHEEL_FILE.fullmatch(name):
            record, data = f"{name.rpartition('/')[0]}/RECORD", _GENERATOR.sub(b"Generator: slipway", data)
        digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows[name] = f"{_quoted(name)},sha256={digest},{len(data)}\n"
        executable = bool(archive.getinfo(name).external_attr >> 16 & 0o111)
        yield spill.add(name, data, executable=executable, owner="")
    rows[record] = f"{record},,\n"
    yield spill.add(record, "".join(rows[name] for name in sorted(rows)).encode(), owner="")


def _quoted(name: str) -> str:
    """Return ``name`` as RECORD, which is CSV, spells it."""
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\r\n') else name
