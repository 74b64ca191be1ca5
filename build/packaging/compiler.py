"""Compile modules to hash-based bytecode. Run by the Python of a runtime (3.10 or later), standard library only.

    PYTHONHASHSEED=0 python -s -S compiler.py OUT < order.json

``order.json`` names a wheel or folder (``source``), which of its files install where (``modules``), the
folder on Lambda they are mounted at (``mount``), and whether Python shall compare the ``.pyc`` with its
source on import (``checked``). OUT gets one file per module and ``index.json`` with ``made``, path of the
``.pyc`` in the archive → file in OUT, and ``failed``, module → what the compiler said.
"""

import json
import sys
import warnings
import zipfile
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from typing import Protocol


class _Source(Protocol):
    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


def _main() -> None:
    out = Path(sys.argv[1])
    order = json.load(sys.stdin)
    source = Path(order["source"])
    opened: _Source = _Folder(source) if source.is_dir() else zipfile.ZipFile(source)
    warnings.simplefilter("ignore")
    made, failed = {}, {}
    for number, (name, path) in enumerate(order["modules"].items()):
        text = opened.read(name)
        try:
            code = compile(text, f"{order['mount']}/{path}", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, OverflowError) as reason:
            failed[path] = f"line {reason.lineno}: {reason.msg}" if isinstance(reason, SyntaxError) else str(reason)
            continue
        (out / str(number)).write_bytes(_code_to_hash_pyc(code, source_hash(text), order["checked"]))
        made[Path(cache_from_source(path, optimization="")).as_posix()] = str(number)
    (out / "index.json").write_text(json.dumps({"made": made, "failed": failed}), encoding="utf-8")


if __name__ == "__main__":
    _main()
