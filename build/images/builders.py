"""The tools that build a Dockerfile, and how each is called: docker with buildx, docker without, podman, buildah.

All are asked for the same: one platform, no attestations (which make an index of it), and the image as an archive as
`docker save` writes it, which all of them can.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from build import process
from build.errors import InputError, ToolError
from build.images.tar import MTIME_S
from build.model import FunctionSpec
from build.options import DOCKERFILE

CHOICE = "SLIPWAY_CONTAINER_BUILDER"
"""Environment variable with the one to use; without it, whichever is there."""

_ORDER = ("docker", "podman", "buildah")
_EPOCH = f"SOURCE_DATE_EPOCH={MTIME_S}"
"""For steps of a Dockerfile that declare the argument: https://reproducible-builds.org/specs/source-date-epoch/"""
_IS_BUILDX = re.compile(r"docker/buildx")
"""What ``docker buildx version`` says; podman answers to it, too, and is none."""
_LEAST_MASKED, _LEAST_SOUGHT = 4, 8
"""Characters of a secret: what is shorter is met everywhere."""
_SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Builder:
    """A tool that can build here."""

    name: str
    """Of the program: docker, podman or buildah."""
    buildx: bool = False

    def build_words(self, tag: str, platform: str) -> list[str]:
        """Return the command that builds, but for what a function's settings say, and the folder."""
        words = {
            "docker": ["buildx", "build", "--load", "--provenance=false", "--sbom=false", "--progress=plain"]
            if self.buildx
            else ["build"],
            "podman": ["build", "--layers", "--format", "oci"],
            "buildah": ["build", "--layers", "--format", "oci"],
        }[self.name]
        fixed = ["--platform", platform, "--build-arg", _EPOCH, "--tag", tag]
        return [self.name, *words, *([] if self.buildx else ["--pull=false", "--force-rm"]), *fixed]

    def save_words(self, image: str, archive: Path) -> list[str]:
        """Return the command that writes ``image`` to ``archive``."""
        return {
            "docker": ["docker", "image", "save", "--output", str(archive), image],
            "podman": ["podman", "save", "--format", "docker-archive", "--output", str(archive), image],
            "buildah": ["buildah", "push", image, f"docker-archive:{archive}"],
        }[self.name]

    def load_words(self, archive: Path) -> list[str]:
        """Return the command that makes the image in ``archive`` known by the tag it has there."""
        if self.name == "buildah":
            return ["buildah", "pull", f"docker-archive:{archive}"]
        return [self.name, "load", "--input", str(archive)]

    @property
    def takes_secrets(self) -> bool:
        """Tell whether a step can be given what enters no layer: all but docker's old builder do so."""
        return self.buildx or self.name != "docker"

    @property
    def environment(self) -> dict[str, str]:
        """What it is called with."""
        return {**os.environ, **({"DOCKER_BUILDKIT": "0"} if self.name == "docker" and not self.buildx else {})}


def chosen() -> str:
    """Return the builder that is asked for by name; empty if any will do."""
    return os.environ.get(CHOICE, "")


def builder_here() -> Builder | None:
    """Return what builds Dockerfiles on this machine; None if nothing does.

    Raises InputError where `SLIPWAY_CONTAINER_BUILDER` names what is no builder.
    """
    only = chosen()
    if only and only not in _ORDER:
        raise InputError(
            f"{CHOICE} names no builder of Dockerfiles",
            facts=[f"expected one of {', '.join(_ORDER)}, got {only}"],
            hint=f"unset {CHOICE}, then run `invoke build`",
        )
    return next((found for name in ([only] if only else _ORDER) if (found := _found(name))), None)


def needed_builder(functions: Sequence[FunctionSpec]) -> Builder:
    """Return what builds Dockerfiles on this machine; raise InputError, which names ``functions``, if nothing does."""
    found = builder_here()
    if found:
        return found
    only = chosen()
    asked = f"{only}, which {CHOICE} names" if only else f"docker with a running engine, {' or '.join(_ORDER[1:])}"
    raise InputError(
        "nothing here builds a Dockerfile",
        facts=[*(f"{spec.identity}/{DOCKERFILE}" for spec in functions), f"looked for {asked}"],
        hint="install one (Debian: `apt-get install -y buildah`), or delete the Dockerfile where Slipway can assemble "
        "the image itself; then run `invoke build`",
    )


def _found(name: str) -> Builder | None:
    if not shutil.which(name):
        return None
    if name != "docker":
        return Builder(name)
    if process.run(["docker", "version", "--format", "{{.Server.Version}}"]).code != 0:
        return None  # a client without an engine
    return Builder(name, buildx=bool(_IS_BUILDX.search(process.run(["docker", "buildx", "version"]).stdout)))


class SecretMetError(Exception):
    """The value of a secret is where it must not be."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What steps may read while they run, by id: ``env=VARIABLE`` or ``src=FILE``, as the tools have it."""

    words: tuple[str, ...]
    """Options for the tool. Values are not in them."""
    values: tuple[bytes, ...]
    """What must be in no layer and no log."""

    def masked(self, text: str) -> str:
        """Return ``text`` without them."""
        lines = {line.strip() for value in self.values for line in value.decode("utf-8", "replace").splitlines()}
        for line in sorted((each for each in lines if len(each) >= _LEAST_MASKED), key=len, reverse=True):
            text = text.replace(line, "***")
        return text

    def watch(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield ``pieces`` as they are; raise SecretMetError as soon as one of them is in it."""
        sought = [value for value in self.values if len(value) >= _LEAST_SOUGHT]
        longest = max(map(len, sought), default=0)
        before = b""
        for piece in pieces:
            joined = before + piece
            if any(value in joined for value in sought):
                raise SecretMetError
            before = joined[-longest:] if longest else b""
            yield piece


def secrets_of(functions: Sequence[FunctionSpec], builder: Builder) -> list[Secrets]:
    """Return what Dockerfiles of ``functions`` may read; raise InputError with all of it that is not there.

    So it does for a ``builder`` that can give none.
    """
    given = {spec.identity: spec.dockerfile.secrets for spec in functions if spec.dockerfile}
    if any(given.values()) and not builder.takes_secrets:
        raise InputError(
            "docker without buildx can give no secrets to a Dockerfile",
            facts=[f"{name}/function.toml: dockerfile.secrets: {', '.join(own)}" for name, own in given.items() if own],
            hint="install buildx, podman or buildah (Debian: `apt-get install -y buildah`), then run `invoke build`",
        )
    found, missing = [], []
    for spec in functions:
        words, values = [], []
        for name, source in given.get(spec.identity, {}).items():
            kind, _, place = source.partition("=")
            path = spec.folder / Path(place).expanduser()
            if kind == "env" and os.environ.get(place):
                values.append(os.environ[place].encode())
                words += ["--secret", f"id={name},env={place}"]
            elif kind == "src" and path.is_file():
                values.append(path.read_bytes())
                words += ["--secret", f"id={name},src={path}"]
            else:
                what = f"environment variable {place}" if kind == "env" else f"file {place}"
                missing.append(f"{spec.identity}/function.toml: dockerfile.secrets.{name}: there is no {what}")
        long = tuple(each.strip() for each in values if len(each.strip()) >= _LEAST_MASKED)
        found.append(Secrets(words=tuple(words), values=long))
    if missing:
        raise InputError("secrets of Dockerfiles are not here", facts=missing, hint="set them, then run `invoke build`")
    return found


def follow(
    words: Sequence[str], builder: Builder, *, doing: str, log: Path, say: Callable[[str], None], secrets: Secrets
) -> None:
    """Run a tool to its end, telling what it prints, which is appended to ``log``, without secrets.

    Raises ToolError with its last lines if it fails.
    """

    def tell(line: str) -> None:
        if line.strip():
            say(f"{doing}: {secrets.masked(line.strip())}")

    try:
        done = process.follow(words, log=log, on_line=tell, env=builder.environment)
    finally:
        if secrets.values:
            log.write_text(secrets.masked(log.read_text("utf-8", "replace")), "utf-8")
    if done.code != 0:
        lines = [line for line in secrets.masked(done.stdout).splitlines() if line.strip()]
        raise ToolError(
            f"{doing} failed: exit code {done.code}",
            facts=[f"ran: {done.command}", *lines[-_SHOWN_LINES:], f"all of it: {log}"],
            hint="do what it says, most often in the Dockerfile, then run `invoke build`",
        )
