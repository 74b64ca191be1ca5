"""Compile modules to hash-based bytecode. Run by the Python of a runtime (3.10 or later), standard library only.

    PYTHONHASHSEED=0 python -s -S compiler.py FOLDER

``order`` in FOLDER, marshalled, has the folder on Lambda that the modules are mounted at, whether Python shall
compare a ``.pyc`` with its source on import, and the modules: path in the archive, file that holds its bytes, where
they begin, how many there are, whether they are deflated. FOLDER gets one file per module and ``index``, marshalled:
path of the ``.pyc`` in the archive → file in FOLDER, and module → why it does not compile.
"""

# Few imports, and none that is large: half of the time to compile one module is the start of Python. No pathlib,
# either: it interns the parts of paths, and marshal writes a name otherwise that somebody else holds, too. Bytecode
# of a module that says `store` would follow from where the store is.
import marshal
import sys
import warnings
import zlib
from _imp import source_hash
from importlib._bootstrap_external import (  # type: ignore[attr-defined]
    MAGIC_NUMBER,
    _code_to_hash_pyc,
    cache_from_source,
)

_MAGIC = int.from_bytes(MAGIC_NUMBER, "little")
ANY_PYTHON = 2
"""The version of marshal's format that all of them write and read."""


def _main() -> None:
    folder = sys.argv[1]
    with open(f"{folder}/order", "rb") as stream:  # noqa: PTH123 (see above)
        mount, checked, modules = marshal.load(stream)  # noqa: S302 (ours)
    warnings.simplefilter("ignore")
    opened = {}
    made, failed = {}, {}
    for number, (path, source, offset, size, deflated) in enumerate(modules):
        if source not in opened:
            opened[source] = open(source, "rb")  # noqa: PTH123, SIM115 (see above; open to the end)
        opened[source].seek(offset)
        data = opened[source].read(size)
        text = zlib.decompress(data, -zlib.MAX_WBITS) if deflated else data
        try:
            code = compile(text, mount + "/" + path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, OverflowError, MemoryError) as reason:
            said = f"line {reason.lineno}: {reason.msg}" if isinstance(reason, SyntaxError) else str(reason)
            failed[path] = said or type(reason).__name__
            continue
        with open(f"{folder}/{number}", "wb") as stream:  # noqa: PTH123
            stream.write(_code_to_hash_pyc(code, source_hash(_MAGIC, text), checked))
        made[cache_from_source(path, optimization="").replace("\\", "/")] = str(number)
    with open(f"{folder}/index", "wb") as stream:  # noqa: PTH123
        marshal.dump((made, failed), stream, ANY_PYTHON)


if __name__ == "__main__":
    _main()
