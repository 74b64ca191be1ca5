"""Compile modules to hash-based bytecode. Run by the Python of a runtime (3.10 or later), standard library only.

    PYTHONHASHSEED=0 python -s -S compiler.py OUT < order.json

``order.json`` names the modules (``modules``: path in the archive, file that holds its bytes, where they
begin, how many there are, whether they are deflated), the folder on Lambda they are mounted at (``mount``),
and whether Python shall compare the ``.pyc`` with its source on import (``checked``). OUT gets one file per
module and ``index.json`` with ``made``, path of the ``.pyc`` in the archive → file in OUT, and ``failed``,
module → what the compiler said.
"""

import json
import sys
import warnings
import zlib
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from importlib.util import cache_from_source, source_hash
from pathlib import Path
from typing import BinaryIO


def _main() -> None:
    out = Path(sys.argv[1])
    order = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    opened: dict[str, BinaryIO] = {}
    made, failed = {}, {}
    for number, (path, source, offset, size, deflated) in enumerate(order["modules"]):
        stream = opened.get(source) or opened.setdefault(source, Path(source).open("rb"))  # noqa: SIM115 (kept open)
        stream.seek(offset)
        data = stream.read(size)
        text = zlib.decompress(data, -zlib.MAX_WBITS) if deflated else data
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
