"""Shared objects: what one needs of the system, and whether a runtime has it.

What one needs is read once per wheel and kept as JSON; judging it takes no file.
"""

import re
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

from build.model import Target
from build.project.profiles import profile_of, system_of

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import Section

MAGIC = b"\x7fELF"
"""How every ELF file begins."""

_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
_LOADED = ("ET_DYN", "ET_EXEC")
"""Kinds of ELF files that the loader takes. Object files (.o) and core dumps are data."""
_WEAK = 0x2
"""Flag of a needed version whose lack is a warning: the ELF chapter of the Linux Standard Base, VER_FLG_WEAK."""
_NUMERIC = re.compile(r"\d+(\.\d+)*")
_TAG = re.compile(r"\.(cpython-\d+[a-z]*(-[\w-]+)?|abi3|pypy[\w-]+)$")
"""What of a module's file name says who may import it: PEP 3149, and PEP 384 for abi3."""
_MOST_ENTRIES = 2_000
"""Sections, dynamic tags, versions. Large libraries have some hundred; a file that says more would waste our time."""
_MOST_TABLE_BYTES = 32 << 20
"""The names of all symbols of the largest library we know have 3 MB."""


class Need(NamedTuple):
    """The highest version of one family of symbols that an object needs of one library."""

    library: str
    """Soname, ``libc.so.6``."""
    family: str
    """``GLIBC``."""
    version: str
    """``2.34``; a word such as ``ABI_DT_RELR`` stands for itself."""
    symbol: str
    """One symbol of that version; empty if none was found."""

    @property
    def number(self) -> tuple[int, ...] | None:
        """``(2, 34)``; None for a word."""
        return tuple(map(int, self.version.split("."))) if _NUMERIC.fullmatch(self.version) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedObject:
    """What the loader reads of a library, an extension module or a program."""

    path: str
    """Installed, below site-packages or src/."""
    machine: str
    """As ``uname -m`` says it: x86_64, aarch64; of others, the name in elf.h. Empty if `unreadable`."""
    soname: str = ""
    needed: tuple[str, ...] = ()
    """Libraries by soname, in the order of loading."""
    search: tuple[str, ...] = ()
    """Folders of its rpath or runpath, ``$ORIGIN`` unfilled."""
    requires: tuple[Need, ...] = ()
    is_module: bool = False
    """True if Python can import it: an extension module, by its PyInit function."""
    unreadable: str = ""
    """What it is instead of an ELF file that can be read; then nothing else is known of it."""

    def to_json(self) -> list[object]:
        """Return a row of plain values for `from_json`."""
        lists = [list(self.needed), list(self.search), [list(need) for need in self.requires]]
        return [self.path, self.machine, self.soname, *lists, self.is_module, self.unreadable]

    @classmethod
    def from_json(cls, row: Any) -> Self:
        """Return what `to_json` gave; raise LookupError, TypeError or ValueError for anything else."""
        path, machine, soname, needed, search, requires, is_module, unreadable = row
        return cls(
            path=path,
            machine=machine,
            soname=soname,
            needed=tuple(needed),
            search=tuple(search),
            requires=tuple(Need(*need) for need in requires),
            is_module=is_module,
            unreadable=unreadable,
        )


def read_shared_object(path: str, data: bytes) -> SharedObject | None:
    """Do what `look_into` does with ``data`` in memory."""
    return look_into(path, BytesIO(data))


def look_into(path: str, stream: BinaryIO) -> SharedObject | None:
    """Return what ``stream`` says that the loader goes by; None if the loader has nothing to do with it.

    ``path`` is only kept. A file that begins like ELF and is broken gives an object with
    `unreadable` set: wheels do ship such files, to test readers of them. Only tables are read, so memory
    does not grow with the code.
    """
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        return None
    from elftools.common.exceptions import ELFError

    try:
        return _read(path, stream)
    # pyelftools means ELFError; what a broken file makes it trip over has many names.
    except (ELFError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as reason:
        return SharedObject(path=path, machine="", unreadable=f"a broken one ({str(reason) or type(reason).__name__})")


def module_of(path: str) -> str:
    """Return the name that ``path`` is imported by: ``_imaging`` of ``PIL/_imaging.cpython-312-….so``."""
    name = path.rpartition("/")[2]
    return _TAG.sub("", name.removesuffix(".so").removesuffix(".pyd"))


def misfits(shared_object: SharedObject, target: Target, provided: Collection[str]) -> tuple[str, ...]:
    """Return why ``shared_object`` does not load on ``target``, for people; empty if it does.

    ``provided`` are the libraries, by soname, that it finds elsewhere than in the runtime, such as in its own wheel.
    """
    is_foreign = foreign(shared_object, target)
    if is_foreign:
        return (is_foreign,)
    absent = missing(shared_object, target, provided)
    return (
        *too_new(shared_object, target, provided),
        *(f"it needs {library}, which {target} lacks" for library in absent),
    )


def foreign(shared_object: SharedObject, target: Target) -> str:
    """Return why it was not made for ``target`` at all, but for another machine or Python; empty if it was."""
    machine = profile_of(target).machine
    if shared_object.unreadable:
        return f"expected an ELF file for {machine}, got {shared_object.unreadable}"
    if shared_object.machine != machine:
        return f"expected code for {machine}, got {shared_object.machine}"
    name = shared_object.path.rpartition("/")[2]
    tag = _TAG.search(name.removesuffix(".so"))
    accepted = f"cpython-3{target.runtime.minor}-{machine}-linux-gnu"
    if name.endswith(".so") and tag and tag[1] not in {accepted, "abi3"}:
        return f"expected a name that ends with .{accepted}.so, got {name}, which {target.runtime} does not import"
    return ""


def too_new(shared_object: SharedObject, target: Target, provided: Collection[str]) -> tuple[str, ...]:
    """Return the symbol versions that the runtime's own libraries do not have."""
    system = system_of(target.runtime)
    found = []
    for need in shared_object.requires:
        has = system.versions.get(need.family)
        if has is None or need.library in provided or need.library not in system.libraries:
            continue
        # Among the words, those that begin so stand for what the loader itself must know: GLIBC_ABI_DT_RELR is of 2.36.
        if need.number > has if need.number else need.version.startswith("ABI_"):
            symbol = f" ({need.symbol})" if need.symbol else ""
            newest = ".".join(map(str, has))
            found.append(f"expected at most {need.family}_{newest}, got {need.family}_{need.version}{symbol}")
    return tuple(found)


def missing(shared_object: SharedObject, target: Target, provided: Collection[str]) -> tuple[str, ...]:
    """Return the libraries it needs that are neither in the runtime nor among ``provided``."""
    libraries = system_of(target.runtime).libraries
    return tuple(name for name in shared_object.needed if name not in libraries and name not in provided)


def _read(path: str, stream: BinaryIO) -> SharedObject | None:
    from elftools.elf.elffile import ELFFile  # here: 0.1 s that only wheels with compiled code pay

    elf = ELFFile(stream)
    if elf["e_type"] not in _LOADED:
        return None
    if elf.num_sections() > _MOST_ENTRIES:
        raise ValueError(f"{elf.num_sections()} sections")
    sections: dict[str, Section] = {}
    for section in elf.iter_sections():
        sections.setdefault(section["sh_type"], section)
    said: dict[str, list[str]] = {"DT_SONAME": [], "DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": []}
    if "SHT_DYNAMIC" in sections:
        for tag in _bounded(sections["SHT_DYNAMIC"].iter_tags()):  # type: ignore[attr-defined]
            if tag.entry.d_tag in said:
                said[tag.entry.d_tag].append(getattr(tag, tag.entry.d_tag[3:].lower()))
    # The loader passes over rpath where there is a runpath.
    search = ":".join(said["DT_RUNPATH"] or said["DT_RPATH"])
    return SharedObject(
        path=path,
        machine=_MACHINES.get(elf["e_machine"], str(elf["e_machine"])),
        soname="".join(said["DT_SONAME"][:1]),
        needed=tuple(said["DT_NEEDED"]),
        search=tuple(folder for folder in search.split(":") if folder),
        requires=tuple(_needs(elf, sections, stream)),
        is_module=f"\0PyInit_{module_of(path)}\0".encode() in _names(elf, sections, stream),
    )


def _names(elf: "ELFFile", sections: "dict[str, Section]", stream: BinaryIO) -> bytes:
    """Return the names of all symbols that the loader can look up."""
    if "SHT_DYNAMIC" not in sections:
        return b""
    return _bytes_of(elf.get_section(sections["SHT_DYNAMIC"].header["sh_link"]), stream)


def _bytes_of(section: "Section", stream: BinaryIO) -> bytes:
    # Not Section.data(), which would inflate a section that says it is compressed.
    stream.seek(section.header["sh_offset"])
    return stream.read(min(section.header["sh_size"], _MOST_TABLE_BYTES))


def _needs(elf: "ELFFile", sections: "dict[str, Section]", stream: BinaryIO) -> Iterator[Need]:
    """Yield the highest version of every family of every library, and each version that is a word."""
    if "SHT_GNU_verneed" not in sections:
        return
    highest: dict[tuple[str, str, bool], tuple[Need, int]] = {}
    tables = sections["SHT_GNU_verneed"].iter_versions()  # type: ignore[attr-defined]
    for library, version in _bounded((library, version) for library, versions in tables for version in versions):
        family, _, rest = version.name.partition("_")
        if not version["vna_flags"] & _WEAK:
            need = Need(library.name, family, rest, "")
            key = (library.name, family if need.number else version.name, need.number is None)
            if key not in highest or (highest[key][0].number or ()) < (need.number or ()):
                highest[key] = (need, version["vna_other"])
    indexes = array("H")
    if "SHT_GNU_versym" in sections:
        table = _bytes_of(sections["SHT_GNU_versym"], stream)
        indexes.frombytes(table[: len(table) // 2 * 2])
    if not elf.little_endian:
        indexes.byteswap()
    for need, index in highest.values():
        symbol = ""
        if "SHT_DYNSYM" in sections and index in indexes:
            symbol = sections["SHT_DYNSYM"].get_symbol(indexes.index(index)).name  # type: ignore[attr-defined]
        yield need._replace(symbol=symbol)


def _bounded(entries: Iterator[Any]) -> Iterator[Any]:
    yield from islice(entries, _MOST_ENTRIES)
    if next(entries, None) is not None:
        raise ValueError(f"more than {_MOST_ENTRIES} entries in a table")
