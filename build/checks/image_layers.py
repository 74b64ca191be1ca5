"""Layers of images that somebody else made: looked into once, and remembered by their digests.

What we made was judged as a zip. AWS's own bases run as they are, so that nobody looks into them.
"""

import csv
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, NamedTuple

from build.checks import secrets
from build.digest import Digest
from build.image import Assembled, Blob, Image
from build.images import surveys
from build.images.assembled import layers_of
from build.images.surveys import LayerSurvey, laid_over, survey_layer
from build.model import Build, FunctionSpec, Workspace
from build.options import ImageConfig
from build.store.objects import Store, untouched
from build.wheels import elf

SECRET, NEEDS, LIBC = "secret", "needs", "libc"
"""Kinds of remarks. Of a compiled file ``x86_64 2.34``: its machine, and the glibc it needs; of a C library the glibc
that it is, or ``musl``."""
NOTE = "layer-survey"

_AWS_ENTRYPOINT = "/lambda-entrypoint.sh"
_GALLERY = "public.ecr.aws/lambda/"
_SYSTEM = re.compile(r"((usr/(local/)?)?(bin|include|lib|lib32|lib64|libexec|sbin|share)|var/(lang|lib|runtime))/")
"""Where the base and its package manager put what is theirs."""
_INSTALLED = re.compile(r"(^|/)(site|dist)-packages/")
_RECORD = re.compile(r"(.*/)?[^/]+\.dist-info/RECORD")
_DPKG = re.compile(r"var/lib/dpkg/info/[^/]+\.list")
_LIBC = re.compile(r"(.*/)?(libc\.so\.6|libc-2\.\d+\.so)")
_MUSL = re.compile(r"(.*/)?ld-musl-[^/]+\.so\.1")
_VERSION = re.compile(rb"\0GLIBC_(2\.\d+)(?=\0)")


class Layer(NamedTuple):
    """A layer of an image."""

    number: int
    """The lowest is 1."""
    blob: Blob
    survey: LayerSurvey | None
    """None where its bytes are not here."""

    def __str__(self) -> str:
        return f"layer {self.number} ({self.blob.digest.short})"


class Start(NamedTuple):
    """What Lambda starts in an image."""

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    folder: str

    @property
    def words(self) -> tuple[str, ...]:
        """Both, as one line."""
        return (*self.entrypoint, *self.command)


def images_in(workspace: Workspace, build: Build) -> Iterator[tuple[FunctionSpec, Assembled]]:
    """Yield every function that ships as an image, with the image, as far as it can be read."""
    for function in workspace.functions:
        made = build.images.get(function.name)
        if made and not unreadable(made.image):
            yield function, made


def unreadable(image: Image) -> str:
    """Say why ``image`` cannot be read; empty if it can."""
    try:
        Image.read(image.manifest, image.config)
    except ValueError as reason:
        return str(reason)
    return ""


def start_of(function: FunctionSpec, made: Assembled) -> Start:
    """Return what `image_config` says, and where it says nothing what the image says."""
    told, settings = function.options.image_config or ImageConfig(), made.image.settings
    return Start(
        entrypoint=told.entry_point or tuple(map(str, settings.get("Entrypoint") or ())),
        command=told.command or tuple(map(str, settings.get("Cmd") or ())),
        folder=told.working_directory or str(settings.get("WorkingDir") or ""),
    )


def names_aws(function: FunctionSpec) -> bool:
    """Tell whether the base that a function names is AWS's own, which it is where it names none."""
    return not function.base_image or function.base_image.startswith(_GALLERY)


def is_of_aws(function: FunctionSpec, made: Assembled) -> bool:
    """Tell whether an image stands on AWS's own base, or on the stand-in for it; of a Dockerfile's nobody knows."""
    return made.base is not None and names_aws(function)


def starts_as_aws(function: FunctionSpec, made: Assembled) -> bool:
    """Tell whether AWS's bootstrap calls the handler: on AWS's own bases, and on what stands on them."""
    return start_of(function, made).entrypoint[:1] == (_AWS_ENTRYPOINT,)


def layers_in(function: FunctionSpec, made: Assembled, store: Store) -> tuple[Layer, ...]:
    """Return the layers that are looked into: a Dockerfile's, or those of a base of one's own; the lowest first."""
    blobs = _foreign(function, made, store)
    return tuple(Layer(number, blob, _surveyed(blob, store)) for number, blob in enumerate(blobs, 1))


def told(function: FunctionSpec, made: Assembled, store: Store) -> list[object]:
    """Return what findings about an image follow from (JSON): the image, and which of its layers can be looked into."""
    image = made.image
    here = [
        untouched(store.blob(blob.digest), blob.size_bytes) or store.bring(store.note(NOTE, key_of(blob.digest)))
        for blob in (() if unreadable(image) else _foreign(function, made, store))
    ]
    return [image.digest.hex, Digest.of_bytes(image.config).hex, made.base is None, here]


def files_in(made: Assembled, layers: tuple[Layer, ...]) -> dict[str, bool]:
    """Return all paths that ``layers`` leave in the image, and whether everybody may read them.

    The folders that ours add are there, their files are not.
    """
    files = laid_over(layer.survey for layer in layers if layer.survey)
    for part in made.parts:
        folders = part.folder.split("/")
        files.update(("/".join(folders[:count]), True) for count in range(1, len(folders) + 1))
    return files


def forget() -> None:
    """Look anew for layers that were not here."""
    _surveyed.cache_clear()


def _foreign(function: FunctionSpec, made: Assembled, store: Store) -> tuple[Blob, ...]:
    if made.base:
        return () if is_of_aws(function, made) else made.base.layers
    own = {layer.digest for part in made.parts for layer in layers_of(part, store)}
    return tuple(blob for blob in made.image.layers if blob.digest not in own)


# ── looking ───────────────────────────────────────────────────────────────────────────────────


@lru_cache(16)
def _surveyed(blob: Blob, store: Store) -> LayerSurvey | None:
    key = key_of(blob.digest)
    known = store.recall(NOTE, key, LayerSurvey.read)
    path = store.blob(blob.digest)
    if known is None and untouched(path, blob.size_bytes):
        known = _looked_into(path)
        store.remember(NOTE, key, known.noted)
    return known


def _looked_into(path: Path) -> LayerSurvey:
    found = _Finds()
    try:
        survey = survey_layer(path, found.look)
    except ValueError as reason:
        return LayerSurvey(compression=str(reason), unpacked_bytes=0, paths=(), orphans=(), unreadable=(), remarks=())
    of_others = {row for row in survey.remarks if row.kind == SECRET and row.path in found.installed}
    return LayerSurvey.read({**survey.noted, "remarks": [row for row in survey.remarks if row not in of_others]})


class _Finds:
    """What is found while a layer is read."""

    def __init__(self) -> None:
        self.installed: set[str] = set()
        """What distributions and Debian's packages brought, as they say; in zips, too, it is not asked for secrets."""

    def look(self, path: str, stream: IO[bytes]) -> Iterator[tuple[str, str]]:
        """Yield kinds and texts of what a file has to it."""
        if _MUSL.fullmatch(path):
            yield LIBC, "musl"
        elif _LIBC.fullmatch(path):
            versions = [version.decode() for version in _VERSION.findall(stream.read())]
            if versions:
                yield LIBC, max(versions, key=numbers)
        elif _RECORD.fullmatch(path):
            root = path.rpartition("/")[0].rpartition("/")[0]
            rows = csv.reader(stream.read().decode("utf-8", "replace").splitlines())
            self.installed.update(f"{root}/{row[0]}".lstrip("/") for row in rows if row)
        elif _DPKG.fullmatch(path):
            self.installed.update(line.lstrip("/") for line in stream.read().decode("utf-8", "replace").splitlines())
        elif not _SYSTEM.match(path) or _INSTALLED.search(path):
            yield from self._look_into(path, stream)

    def _look_into(self, path: str, stream: IO[bytes]) -> Iterator[tuple[str, str]]:
        start = stream.read(len(elf.MAGIC))
        if start == elf.MAGIC:
            shared = elf.read_shared_object(path, start + stream.read())
            version = newest_glibc(shared) if shared else ""
            if shared and version:
                yield NEEDS, f"{shared.machine} {version}"
        elif not _SYSTEM.match(path):
            for what, line in secrets.secrets_in(path, start + stream.read(secrets.MOST_BYTES)):
                yield SECRET, f"{line}: {what}"


def newest_glibc(shared: elf.SharedObject) -> str:
    """Return the glibc that ``shared`` needs, as ``2.34``; empty if it needs none."""
    versions = [need.version for need in shared.requires if need.family == "GLIBC" and need.number]
    return max(versions, key=numbers, default="")


def numbers(version: str) -> tuple[int, ...]:
    """Return ``2.34`` as (2, 34); what is no glibc is older than all."""
    return tuple(map(int, version.split("."))) if version[:1].isdigit() else ()


def key_of(layer: Digest) -> Digest:
    """Return the key of the survey of ``layer``."""
    return Digest.of_bytes(f"{_code()} {layer}".encode())


@cache
def _code() -> str:
    """Return the digest of what looks: another version looks at every layer anew."""
    files = (__file__, elf.__file__, secrets.__file__, surveys.__file__)
    return Digest.of_bytes(b"\0".join(Path(file).read_bytes() for file in files)).hex
