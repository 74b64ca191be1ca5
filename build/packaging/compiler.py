"""Compile modules to hash-based bytecode. Run by the Python of a runtime (3.10 or later), standard library only.

    PYTHONHASHSEED=0 python -s -S compiler.py OUT < order.json

``order.json`` names the modules (``modules``: path in the archive, file that holds its bytes, where they
begin, how many there are, whether they are deflated), the folder on Lambda they are mounted at (``mount``),
and whether Python shall compare the ``.pyc`` with its source on import (``checked``). OUT gets one file per
module and ``index.json`` with ``made``, path of the ``.pyc`` in the archive → file in OUT, and ``failed``,
module → what the compiler said.
"""

# No pathlib: it interns the parts of paths, and marshal writes a name otherwise that somebody else holds, too.
# Bytecode of a module that says `store` would follow from where the store is.
import json
import sys
import warnings
import zlib
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from importlib.util import cache_from_source, source_hash


def _main() -> None:
    out = sys.argv[1]
    order = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    opened = {}
    made, failed = {}, {}
    for number, (path, source, offset, size, deflated) in enumerate(order["modules"]):
        if source not in opened:
            opened[source] = open(source, "rb")  # noqa: PTH123, SIM115 (see above; open to the end)
        opened[source].seek(offset)
        data = opened[source].read(size)
        text = zlib.decompress(data, -zlib.MAX_WBITS) if deflated else data
        try:
            code = compile(text, order["mount"] + "/" + path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, OverflowError, MemoryError) as reason:
            said = f"line {reason.lineno}: {reason.msg}" if isinstance(reason, SyntaxError) else str(reason)
            failed[path] = said or type(reason).__name__
            continue
        with open(f"{out}/{number}", "wb") as stream:  # noqa: PTH123
            stream.write(_code_to_hash_pyc(code, source_hash(text), order["checked"]))
        made[cache_from_source(path, optimization="").replace("\\", "/")] = str(number)
    with open(f"{out}/index.json", "w", encoding="utf-8") as stream:  # noqa: PTH123
        json.dump({"made": made, "failed": failed}, stream)


if __name__ == "__main__":
    _main()
