"""`pylock.toml`: the lock that every tool may write (PEP 751).

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from build.locking.places import Base, index_options, is_public, pin_at
from build.locking.reading import Reading, environment_of, for_targets, python_problem, sha256s_of, text_of, toml
from build.locking.requirements import Pin
from build.model import Target
from build.project.profiles import profile_of

if TYPE_CHECKING:  # needed only where there is such a lock
    from packaging.pylock import Package, PackageSdist, PackageWheel, Pylock

LOCK = "pylock.toml"


def lock_of(folder: Path) -> str | None:
    """Return the file name of the lock: `pylock.toml`, or that of the folder's name, or the only one there is."""
    there = folder.iterdir() if folder.is_dir() else ()
    named = [path.name for path in there if fnmatchcase(path.name, "pylock.*.toml")]
    for name in (LOCK, f"pylock.{folder.name}.toml"):
        if (folder / name).is_file():
            return name
    return named[0] if len(named) == 1 else None


def read(
    folder: Path, root: Path, targets: Iterable[Target], name: str, wanted: tuple[Requirement, ...] | None
) -> Reading:
    """Read the lock called ``name``; ``wanted`` is what another file of the folder says, if one does.

    Raises what `MALFORMED` names, as every reader does.
    """
    from packaging.pylock import Pylock, PylockValidationError

    text = text_of(folder / name) or ""
    basis = f"{None if wanted is None else list(map(str, wanted))}\0{text}"
    try:
        lock = Pylock.from_dict(_with_normal_names(toml(text)))
    except PylockValidationError as reason:
        raise ValueError(str(reason)) from None
    base = Base(folder, root)
    pins, wrong = for_targets(targets, lambda target: _chosen(lock, target, base))
    problems = tuple(f"{name}: {each}" for each in wrong)
    return Reading(lock=name, wanted=wanted, pins=pins, problems=problems, basis=basis)


def _with_normal_names(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with names as the standard wants them; pipenv writes them as the index has them."""
    packages = [{**each, "name": canonicalize_name(each["name"])} for each in document.get("packages", ())]
    return document | ({"packages": packages} if packages else {})


def _chosen(lock: "Pylock", target: Target, base: Base) -> Iterator[Pin | str]:
    """Yield what an installer would take for ``target``: no extra, and only the groups that are meant to be there."""
    environment = environment_of(target)
    if problem := python_problem(str(lock.requires_python or ""), target):
        yield problem
        return
    if lock.environments and not any(each.evaluate(environment) for each in lock.environments):
        yield f"expected a lock that supports {target}, got one for {' or '.join(map(str, lock.environments))}"
        return
    asked: dict[str, str | frozenset[str]] = {
        **environment,
        "extras": frozenset[str](),
        "dependency_groups": frozenset(lock.default_groups or ()),
    }
    if problem := _one_machine_problem(lock, target):
        yield problem
    for package in lock.packages:
        if package.marker is None or package.marker.evaluate(asked, context="lock_file"):
            problem = python_problem(str(package.requires_python or ""), target)
            yield f"{package.name}: {problem}" if problem else _pin(package, base, profile_of(target).tags)


def _one_machine_problem(lock: "Pylock", target: Target) -> str | None:
    """Say which packages have no file for ``target``, if `pip lock` wrote it: that locks for the machine it runs on."""
    if lock.created_by != "pip":
        return None
    tags = frozenset(profile_of(target).tags)
    unfit = [
        package.name
        for package in lock.packages
        if package.wheels
        and not package.sdist
        and all(tags.isdisjoint(parse_wheel_filename(wheel.filename)[3]) for wheel in package.wheels)
    ]
    if not unfit:
        return None
    return f"{', '.join(unfit)}: expected a wheel for {target}, got only those of the machine that `pip lock` ran on"


def _pin(package: "Package", base: Base, tags: Sequence[Tag]) -> Pin | str:
    if package.is_direct:
        return _direct(package, base)
    name, version = package.name, str(package.version or "")
    files: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    files += [package.sdist] if package.sdist else []
    sha256s = _sha256s(file.hashes for file in files)
    if not sha256s:
        return f"{name} {version}: expected the sha256 of its files, got none"
    if not version:
        return f"{name}: expected one exact version, got none"
    if url := _own_url(package, tags):
        return pin_at(url, base, name=name, version=version, sha256s=sha256s)
    folders = {str(Path(file.path).parent) for file in files if file.path and not file.url}
    options = tuple(option for place in (package.index, *sorted(folders)) for option in index_options(place, base))
    return Pin(name=name, version=version, marker=None, sha256s=sha256s, options=options)


def _direct(package: "Package", base: Base) -> Pin | str:
    """Return the pin of one that comes from a place of its own."""
    name, version = package.name, str(package.version or "")
    if package.vcs:
        return pin_at(
            f"{package.vcs.type}+{package.vcs.url or package.vcs.path}", base, name=f"{name} {version}".strip()
        )
    if package.directory:
        return pin_at(_below(package.directory.path, package.directory.subdirectory), base, name=name, version=version)
    if package.archive:
        archive = package.archive
        place = archive.path or archive.url or ""
        if archive.url and archive.subdirectory:
            place = f"{place}#subdirectory={archive.subdirectory}"
        return pin_at(place, base, name=name, version=version, sha256s=_sha256s([archive.hashes]))
    return f"{name}: expected where it comes from, got nothing"


def _own_url(package: "Package", tags: Sequence[Tag]) -> str | None:
    """Return the URL of the file to take, where the lock names no index that pip could ask for it."""
    if package.index:
        return None
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    fitting = [
        (min(ranks[tag] for tag in fits), wheel.url)
        for wheel in package.wheels or ()
        if wheel.url and (fits := ranks.keys() & parse_wheel_filename(wheel.filename)[3])
    ]
    url = min(fitting)[1] if fitting else package.sdist.url if package.sdist else None
    return url if url and url.startswith("http") and not is_public(url) else None


def _below(path: str, subdirectory: str | None) -> str:
    return f"{path}/{subdirectory}" if subdirectory else path


def _sha256s(hashes: Iterable[Mapping[str, str]]) -> frozenset[str]:
    return sha256s_of(f"sha256:{each.get('sha256')}" for each in hashes)
