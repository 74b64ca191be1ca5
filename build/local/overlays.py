"""Code that runs in place of what is deployed: what `invoke watch` has swapped in.

Moto goes on holding what Terraform deployed, and so tells of it alone; nothing here is seen by a plan.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from build.digest import Digest
from build.local.unpack import Archive
from build.release.lookup import OWN_VARIABLE
from build.release.schedule import ALIAS

LATEST = "$LATEST"


class Swapped(StrEnum):
    """What became of code that was to run in place of what is deployed."""

    SWAPPED = "swapped"
    """It runs from now on."""
    UNCHANGED = "unchanged"
    """It runs already."""
    DEPLOYED = "deployed"
    """It is what is deployed, which runs again."""
    MISSING = "missing"
    """No such function is deployed."""
    UNLIKE = "unlike"
    """What is deployed has another handler, runtime or package type, or other layers: only a deploy changes these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a function is made of, as `invoke watch` built it."""

    handler: str
    runtime: str
    """``python3.13``; of an image it tells nothing."""
    digest: str
    """Of the zip, or of the image, in hex."""
    image: str = ""
    """URI of an image; empty for a zip."""
    layers: tuple[str | None, ...] = ()
    """Digests of the layers in hex, in the function's order; None for one that is not the repository's own."""

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> Self:
        """Read what `asdict` gave."""
        return cls(**{**said, "layers": tuple(said["layers"])})

    def archive(self, generated: Path) -> Archive:
        """Return its zip, which is in the store."""
        return _of_store(generated, self.digest)

    def archives(self, deployed: tuple[Archive, ...], generated: Path) -> tuple[Archive, ...]:
        """Return its layers, given those that are ``deployed``."""
        pairs = zip(self.layers, deployed, strict=True)
        return tuple(_of_store(generated, digest) if digest else archive for digest, archive in pairs)

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables that follow from it."""
        return {OWN_VARIABLE: f"sha256:{self.digest}"}

    def fits(self, function: Any) -> bool:
        """Tell whether moto's ``function`` differs from it in bytes alone."""
        if self.image or function.package_type == "Image":
            return bool(self.image) and function.package_type == "Image"
        same = (function.handler, function.run_time) == (self.handler, self.runtime)
        return same and len(function.layer_versions) == len(self.layers)

    def runs(self, function: Any) -> bool:
        """Tell whether moto's ``function`` is made of the same bytes."""
        if self.image:
            return bool(function.code["ImageUri"] == self.image)
        held = [Digest.parse(layer.code_digest).hex for layer in function.layer_versions]
        own = [(digest, there) for digest, there in zip(self.layers, held, strict=True) if digest]
        return Digest.parse(function.code_digest).hex == self.digest and all(one == other for one, other in own)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Code in place of a function's."""

    name: str
    backend: Any
    """Moto's, which holds the function."""
    code: Code
    stands_for: Mapping[str, str]
    """What moto holds of the versions that run it, by number: it ends as soon as that is something else."""
    since: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


class Overlays:
    """Those of one embedded cloud, by the ARN of the function. Any number of threads may use them."""

    def __init__(self) -> None:
        self._overlays: dict[str, Overlay] = {}
        self._lock = threading.Lock()

    def of(self, function: Any, backend: Any) -> Code | None:
        """Return what runs in place of moto's ``function``, a version; None where that is what is deployed."""
        overlay = self.there(function.function_name, backend)
        stands = overlay is not None and str(function.version) in overlay.stands_for and overlay.code.fits(function)
        return overlay.code if overlay and stands else None

    def there(self, name: str, backend: Any) -> Overlay | None:
        """Return what runs in place of the function ``name``, unless something was deployed since."""
        key = _key(name, backend)
        overlay = self._overlays.get(key)
        if overlay and overlay.stands_for != versions_of(name, backend):
            with self._lock:
                self._overlays.pop(key, None)
            return None
        return overlay

    def put(self, name: str, backend: Any, code: Code | None) -> None:
        """Run ``code`` in place of the function ``name`` from now on; None is what is deployed."""
        with self._lock:
            if code:
                self._overlays[_key(name, backend)] = Overlay(name, backend, code, versions_of(name, backend))
            else:
                self._overlays.pop(_key(name, backend), None)

    def clear(self) -> None:
        """Let what is deployed run everywhere."""
        with self._lock:
            self._overlays.clear()

    def told(self) -> dict[str, str]:
        """Return since when code runs in place of a function's, ISO 8601, by ARN."""
        every = sorted(self._overlays.items())
        return {arn: overlay.since for arn, overlay in every if self.there(overlay.name, overlay.backend)}


def versions_of(name: str, backend: Any) -> dict[str, str]:
    """Return CodeSha256 of the version that is live, the first, and of `LATEST`; nothing of what is not deployed."""
    from moto.awslambda.exceptions import UnknownFunctionException

    try:
        alias = next((each for each in backend.list_aliases(name) if each.name == ALIAS), None)
    except UnknownFunctionException:
        alias = None
    if alias is None:
        return {}
    numbers = (str(alias.function_version), LATEST)
    return {number: backend.get_function(name, number).code_sha_256 for number in numbers}


def _key(name: str, backend: Any) -> str:
    return f"arn:aws:lambda:{backend.region_name}:{backend.account_id}:function:{name}"


def _of_store(generated: Path, digest: str) -> Archive:
    found = Digest.parse(digest)
    return Archive(found, generated / "store" / "artifacts" / f"{found.hex}.zip")
