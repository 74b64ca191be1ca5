"""Wheels: what the store knows of one, so that it is opened and checked once and not at every build."""

from dataclasses import dataclass
from typing import Any

from build.digest import Digest
from build.model import Wheel
from build.store.objects import Store, trusted
from build.wheels.elf import SharedObject
from build.zips.directory import Member

_SHAPE = 3
"""Of the notes and of the checks behind them, part of their keys. Raise it, and every wheel is looked at again."""
_SHIPPED_SCHEMES = frozenset({"purelib", "platlib"})
"""Of a wheel's ``.data`` folder. Scripts, headers and data have no place in /var/task or /opt/python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a wheel says of itself and what of it can ship, every byte of it checked."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    requires: tuple[str, ...]
    """Requires-Dist lines."""
    requires_python: str
    """Empty where the wheel says nothing."""
    members: tuple[Member, ...]
    """Sorted by name, which is the installed path below site-packages.

    Left out are scripts, headers and data of its ``.data`` folder and bytecode in ``__pycache__``: that would meet
    ours, and its times are stale in any case. A ``.pyc`` beside the sources is a module of its own.
    """
    left_out_bytes: int
    """Unzipped size of what `members` leaves out."""
    read_at_run_time: frozenset[str]
    """Slimming rules (`model.SLIMMING`) that would take something a module of the wheel asks for."""
    shared_objects: tuple[SharedObject, ...]


def surveyed(wheel: Wheel, store: Store) -> Survey:
    """Return the survey of ``wheel``, made once and then remembered.

    Raises InputError with everything that is wrong with the wheel: see `zips.read_directory` for its structure,
    and `surveying.survey` for its content.
    """
    # The name too: it says name, version and tags, and the same bytes may go by another one.
    key = Digest.of_bytes(f"{_SHAPE} {wheel.digest} {wheel.path.name}".encode())
    known = store.recall("survey", key, _from_json)
    if known is None:
        from build.wheels.surveying import survey  # here: it is heavy, and needed once per wheel

        if not wheel.path.exists():  # an artifact that others made comes without it
            store.bring(wheel.path, wheel.digest)
        with store.scratch() as folder:
            known = survey(trusted(wheel.path, wheel.digest), folder)
        store.remember("survey", key, _to_json(known))
    return known


def installed_path(member: str) -> str | None:
    """Return where ``member`` lands below site-packages, or None if it does not."""
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return member
    scheme, _, inner = rest.partition("/")
    return inner if scheme in _SHIPPED_SCHEMES and inner else None


def _to_json(survey: Survey) -> list[object]:
    """Return what is quick to read again: columns and no rows, for some thousand members."""
    return [
        *(survey.name, survey.version, survey.requires, survey.requires_python),
        list(zip(*survey.members, strict=True)),
        *(survey.left_out_bytes, sorted(survey.read_at_run_time)),
        [each.to_json() for each in survey.shared_objects],
    ]


def _from_json(note: Any) -> Survey:
    name, version, requires, requires_python, columns, left_out_bytes, read_at_run_time, shared_objects = note
    return Survey(
        name=name,
        version=version,
        requires=tuple(requires),
        requires_python=requires_python,
        members=tuple(map(Member, *columns)),
        left_out_bytes=left_out_bytes,
        read_at_run_time=frozenset(read_at_run_time),
        shared_objects=tuple(map(SharedObject.from_json, shared_objects)),
    )
