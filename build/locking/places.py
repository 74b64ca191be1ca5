"""Where a distribution comes from when no index is asked: a URL, or a file or project of this repository."""

import re
import stat
import tomllib
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from build.digest import Digest
from build.locking.requirements import SEARCH, SO, Pin

_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_VERSION_CONTROL = re.compile(r"(git|hg|svn|bzr)\+|git@")
_SHA256 = re.compile(r"sha256[=:]([0-9a-fA-F]{64})")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_GENERATED = frozenset({"__pycache__", "node_modules", ".DS_Store"})
_GENERATED_ENDINGS = (".egg-info", ".pyc", ".pyo", ".swp", ".swo", "~")
_OUTPUTS = frozenset({"build", "dist"})
"""Folders at the top of a project that builds write to; one with an `__init__.py` is source."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where relative paths of a lock begin, and the repository they may not leave."""

    folder: Path
    root: Path

    def path(self, place: str) -> Path | None:
        """Return the absolute path that ``place``, a path or a ``file:`` URL, names; None outside the repository."""
        place = place.replace("${PROJECT_ROOT}", str(self.folder))
        if place.startswith("file:"):
            place = unquote(place.removeprefix("file:").partition("#")[0])
            place = place.removeprefix("//")
        path, root = (self.folder / place).resolve(), self.root.resolve()
        return self.root / path.relative_to(root) if path.is_relative_to(root) else None

    def named(self, path: Path) -> str:
        """Return ``path`` as messages name it: from the root of the repository."""
        return path.relative_to(self.root).as_posix()


def masked(text: str) -> str:
    """Return ``text`` without the credentials of the URLs in it."""
    return _CREDENTIALS.sub("//***@", text)


def is_public(url: str) -> bool:
    """Say whether ``url`` is of the public index, which pip finds by itself, be it through a mirror."""
    return urlsplit(url).hostname in _public_hosts()


@cache
def _public_hosts() -> frozenset[str]:
    from pip._internal.models.index import PyPI

    return frozenset({PyPI.netloc, PyPI.file_storage_domain})


def search_option(kind: str, value: str, base: Base) -> str | None:
    """Return the line that has pip look at an index or folder too; None for the public index, which pip knows.

    pip's own settings say where that one is: a mirror perhaps, and the public one may be out of reach.
    """
    if kind == "--extra-index-url" and is_public(value):
        return None
    if kind == "--find-links" and "://" not in value:
        value = str(base.path(value) or base.folder / value)
    return f"{kind} {value}"


def index_options(place: str | None, base: Base) -> tuple[str, ...]:
    """Return the lines for pip of an index, or a folder of files, that a lock names as a pin's source."""
    if not place:
        return ()
    kind = SEARCH["--index-url"] if "://" in place and not place.startswith("file:") else SEARCH["--find-links"]
    option = search_option(kind, place, base)
    return (option,) if option else ()


def pin_at(
    place: str,
    base: Base,
    *,
    name: str = "",
    version: str = "",
    marker: Marker | None = None,
    sha256s: frozenset[str] = frozenset(),
) -> Pin | str:
    """Return the pin of what is at ``place``, or what is wrong with it.

    A project of this repository becomes a `Pin.folder`. A file of it becomes a ``file:`` URL; git keeps it, so
    its own digest will do. Any other URL needs a sha256, in ``sha256s`` or as its fragment. ``name`` and
    ``version`` are what the lock says, if it does.
    """
    said = Pin(name=canonicalize_name(name), version=version, marker=marker, sha256s=sha256s)
    if _VERSION_CONTROL.match(place):
        return (
            f"{name or masked(place)}: expected files with a sha256, got a commit of a repository{SO}"
            "take a release, the URL of an archive, or a wheel or copy of it in this repository"
        )
    if "://" in place and not place.startswith("file:"):
        return _remote(place, said)
    path = base.path(place)
    if path is None:
        return f"{masked(place)}: expected a place in this repository, got one outside of it{SO}copy it into this one"
    if not (path.is_file() or path.is_dir()):
        return f"{place}: expected a file or a project, got nothing at {base.named(path)}{SO}mend the path"
    if path.is_dir():
        found = _project(path, place, said)
        is_own = isinstance(found, str) and path == base.folder
        return f"{found}{SO}leave it out: src/ ships by itself" if is_own else found
    return _local(path, place, said)


def _remote(url: str, said: Pin) -> Pin | str:
    parts = urlsplit(url)
    sha256s = said.sha256s | _sha256s_in(url)
    if not sha256s:
        return f"{masked(url)}: expected its sha256, as --hash=sha256:… or #sha256=…, got none"
    return _file(url, unquote(parts.path.rsplit("/", 1)[-1]), replace(said, sha256s=sha256s))


def _local(path: Path, place: str, said: Pin) -> Pin | str:
    own = Digest.of_file(path).hex
    if said.sha256s and own not in said.sha256s:
        return f"{place}: expected the sha256 that the lock names, got {own}"
    return _file(path.as_uri(), path.name, replace(said, sha256s=frozenset({own})))


def _file(url: str, filename: str, said: Pin) -> Pin | str:
    name, version = _parsed(filename)
    if not (said.name or name):
        return f"{masked(url)}: expected its name, got none{SO}write `name @ URL`"
    return replace(said, name=said.name or canonicalize_name(name), version=said.version or version, url=url)


def _parsed(filename: str) -> tuple[str, str]:
    """Return name and version as a wheel's or sdist's file name says them; empty for any other archive."""
    try:
        if filename.endswith(".whl"):
            name, version, *_ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return "", ""
    return name, str(version)


def _project(folder: Path, place: str, said: Pin) -> Pin | str:
    if not any((folder / file).is_file() for file in _PROJECT_FILES):
        return f"{place}: expected a project, got a folder without pyproject.toml or setup.py"
    name, version = _said(folder)
    if not (said.name or name):
        return f"{place}: expected its name in its pyproject.toml, got none{SO}write `name @ file:{place}`"
    return replace(
        said,
        name=said.name or canonicalize_name(name),
        version=version or said.version,
        sha256s=frozenset(),
        folder=folder,
    )


def _pyproject(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def _said(folder: Path) -> tuple[str, str]:
    """Return name and version as the project states them; empty where only a build tells."""
    table = _pyproject(folder)
    project = table.get("project") or table.get("tool", {}).get("poetry") or {}
    if project.get("name"):
        return str(project["name"]), str(project.get("version", ""))
    import configparser  # here, as few projects need it

    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read(folder / "setup.cfg", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return "", ""
    version = config.get("metadata", "version", fallback="")
    name = config.get("metadata", "name", fallback="")
    if not name and (folder / "setup.py").is_file():
        # Running it would tell; a plain string, as nearly all have it, tells as well.
        text = (folder / "setup.py").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"""\bname\s*=\s*["']([A-Za-z0-9._-]+)["']""", text)
        name = found[1] if found else ""
    return name, version if re.fullmatch(r"[0-9][0-9A-Za-z.+!-]*", version) else ""


def source_paths(project: Path) -> tuple[str, ...]:
    """Return the paths in a project's ``[tool.uv.sources]``, as they stand there."""
    sources = _pyproject(project).get("tool", {}).get("uv", {}).get("sources", {})
    tables = [table for said in sources.values() for table in (said if isinstance(said, list) else [said])]
    return tuple(str(table["path"]) for table in tables if "path" in table)


def digest_of(project: Path) -> Digest:
    """Return the digest of the `files_of` a project, of their paths and of their execute bits, which wheels keep."""
    lines = [
        f"{path.relative_to(project).as_posix()}\0{Digest.of_file(path).hex}\0{path.stat().st_mode & stat.S_IXUSR}"
        for path in files_of(project)
    ]
    return Digest.of_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))


def files_of(project: Path) -> Iterator[Path]:
    """Yield every file that ``project`` is built from, in a fixed order; links to files and folders are followed.

    Left out are hidden folders, and what tools, editors and earlier builds leave behind.
    """
    outputs = {name for name in _OUTPUTS if not (project / name / "__init__.py").exists()}
    yield from _files(project, outputs, frozenset({project.resolve()}))


def _files(folder: Path, left_out: Container[str], linked: frozenset[Path]) -> Iterator[Path]:
    """Yield the files below ``folder``; a link that leads back to one of ``linked`` is not followed."""
    for path in sorted(folder.iterdir()):
        if path.name in _GENERATED or path.name.endswith(_GENERATED_ENDINGS):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and not path.name.startswith(".") and path.name not in left_out:
            real = {path.resolve()} if path.is_symlink() else set[Path]()
            if linked.isdisjoint(real):
                yield from _files(path, (), linked | real)


def is_local(pin: Pin) -> bool:
    """Say whether ``pin`` comes from this repository."""
    return pin.folder is not None or (pin.url or "").startswith("file:")


def spot_of(pin: Pin, base: Base) -> str:
    """Return where ``pin`` comes from in words that can be shown and compared; empty for the index."""
    if pin.folder:
        return base.named(pin.folder)
    if is_local(pin):
        path = base.path(pin.url or "")
        return base.named(path) if path else ""
    return _without_credentials(pin.url) if pin.url else ""


def wished_url(url: str, sha256s: frozenset[str] = frozenset()) -> str | None:
    """Return ``url`` of a wish in words that can be shown, and that `is_at` understands; None for a path.

    ``sha256s`` are those that the wish has beside it.
    """
    if "://" not in url or url.startswith("file:"):
        return None
    said = sorted(sha256s | _sha256s_in(url))
    return _without_credentials(url) + ("#" + "&".join(f"sha256={each}" for each in said) if said else "")


def is_at(pin: Pin, spot: str, base: Base) -> bool:
    """Say whether ``pin`` comes from ``spot``, and has no sha256 but those that are said there, if any is."""
    said = _sha256s_in(spot)
    return spot.partition("#")[0] == spot_of(pin, base) and (not said or pin.sha256s <= said)


def _sha256s_in(url: str) -> frozenset[str]:
    return frozenset(each.lower() for each in _SHA256.findall(url.partition("#")[2]))


def _without_credentials(url: str) -> str:
    """Return what is the same in a wish and in a lock, where some tools leave credentials out."""
    return _CREDENTIALS.sub("//", url.partition("#")[0])
