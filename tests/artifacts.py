"""Artifacts made by hand, for what looks into finished ones: no compiler, no store."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from build.digest import Digest
from build.model import Architecture, Artifact, Distribution, Wheel


def make_artifact(
    path: Path,
    identity: str = "functions/orders",
    *,
    wheels: Iterable[Wheel] = (),
    src: Mapping[str, str | bytes] | None = None,
    folder: str = "",
    key: str = "",
    architectures: tuple[Architecture, ...] = (Architecture.X86_64,),
    saved: Mapping[str, int] | None = None,
) -> Artifact:
    """Write a zip of ``wheels`` and the files of ``src`` below ``folder``, and return it as an artifact."""
    wheels, prefix = tuple(wheels), f"{folder}/" if folder else ""
    members = {f"{prefix}{name}": data for name, data in (src or {}).items()}
    own = sum(len(data) for data in members.values())
    distributions = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            brought = {f"{prefix}{info.filename}": archive.read(info) for info in archive.infolist()}
        members |= brought
        distributions.append(
            Distribution(
                name=wheel.name,
                version=wheel.version,
                size_bytes=sum(len(data) for data in brought.values()),
                wheel=wheel.digest,
                filename=wheel.path.name,
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name), members[name])
    return Artifact(
        identity=identity,
        key=key or identity.partition("/")[2],
        architectures=architectures,
        path=path,
        digest=Digest.of_file(path),
        size_bytes=path.stat().st_size,
        unzipped_bytes=sum(len(data) for data in members.values()),
        source_bytes=own,
        bytecode_bytes=sum(len(data) for name, data in members.items() if name.endswith(".pyc")),
        distributions=tuple(distributions),
        saved=saved or {},
        changed=True,
    )
