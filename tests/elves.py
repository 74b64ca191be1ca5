"""ELF files made by hand: no compiler, and for machines that this one is not."""

import struct
from collections.abc import Mapping
from itertools import count

_MACHINES = {"x86_64": 62, "aarch64": 183, "ppc64": 21}
_ET_REL, _ET_DYN = 1, 3
_NEEDED, _SONAME, _RPATH, _RUNPATH = 1, 14, 15, 29


def make_elf(
    *,
    machine: str = "x86_64",
    needed: tuple[str, ...] = (),
    versions: Mapping[str, Mapping[str, str]] | None = None,
    weak: tuple[str, ...] = (),
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    module: str = "",
    kind: int = _ET_DYN,
    big_endian: bool = False,
) -> bytes:
    """Return a shared object.

    ``versions`` has libraries, each with its versions, each with a symbol: ``{"libc.so.6": {"GLIBC_2.34": "dlopen"}}``.
    Versions in ``weak`` may be absent when it is loaded. ``module`` is what Python imports it as.
    """
    order = ">" if big_endian else "<"
    strings = bytearray(b"\0")

    def text(value: str) -> int:
        strings.extend(value.encode() + b"\0")
        return len(strings) - len(value) - 1

    versions = versions or {}
    index = count(2)
    symbols = [struct.pack(f"{order}IBBHQQ", 0, 0, 0, 0, 0, 0)]
    used = [0]
    tables = b""
    for number, (library, wanted) in enumerate(versions.items()):
        entries = b""
        for position, (version, symbol) in enumerate(wanted.items()):
            this = next(index)
            rest = 16 if position + 1 < len(wanted) else 0
            entries += struct.pack(f"{order}IHHII", 0, 2 * (version in weak), this, text(version), rest)
            symbols.append(struct.pack(f"{order}IBBHQQ", text(symbol), 0x12, 0, 0, 0, 0))
            used.append(this)
        rest = 16 + len(entries) if number + 1 < len(versions) else 0
        tables += struct.pack(f"{order}HHIII", 1, len(wanted), text(library), 16, rest) + entries
    if module:
        text(f"PyInit_{module}")
    tags = [(_NEEDED, name) for name in needed] + [(_SONAME, soname), (_RPATH, rpath), (_RUNPATH, runpath)]
    dynamic = b"".join(struct.pack(f"{order}QQ", tag, text(name)) for tag, name in tags if name) + bytes(16)
    # Type, content, entry size, link, info: the string table is the first, the symbols are the second.
    sections = [
        (3, bytes(strings), 0, 0, 0),
        (11, b"".join(symbols), 24, 1, 1),
        (0x6FFFFFFF, struct.pack(f"{order}{len(used)}H", *used), 2, 2, 0),
        *([(0x6FFFFFFE, tables, 0, 1, len(versions))] if versions else []),
        (6, dynamic, 16, 1, 0),
    ]
    body, headers = b"", [bytes(64)]
    for type_, content, entry_bytes, link, info in sections:
        offset = 64 + len(body)
        headers.append(
            struct.pack(f"{order}IIQQQQIIQQ", 0, type_, 2, 0, offset, len(content), link, info, 8, entry_bytes)
        )
        body += content + bytes(-len(content) % 8)
    ident = b"\x7fELF" + bytes([2, 2 if big_endian else 1, 1]) + bytes(9)
    fields = (kind, _MACHINES[machine], 1, 0, 0, 64 + len(body), 0, 64, 56, 0, 64, len(headers), 1)
    return ident + struct.pack(f"{order}HHIQQQIHHHHHH", *fields) + body + b"".join(headers)
