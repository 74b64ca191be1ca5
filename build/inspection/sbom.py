"""Software bills of materials: one CycloneDX 1.6 document for each artifact, beside it and never inside.

They follow from the artifact alone, so the same bytes always have the same bill: no time, no random serial number.
Format: https://cyclonedx.org/docs/1.6/json/
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from build.digest import Digest
from build.locking.locks import targets_of
from build.model import Artifact, Build, Spec, Target, Workspace
from build.project.profiles import profile_of

if TYPE_CHECKING:  # what reads archives is needed only where distributions changed
    from build.inspection.contents import Held

Environments = Mapping[str, Sequence[Mapping[str, str]]]
"""Marker environments of an artifact's targets, by the folder of the archive that they read (`Held.folder`)."""

_WRITER = 2
"""Part of every serial number. Raise it when the same artifact shall have another bill."""


def write_sboms(workspace: Workspace, build: Build) -> tuple[Path, ...]:
    """Keep ``.artifacts/sbom/`` true to ``build``; return the bills that were written, those of new artifacts alone."""
    folder, specs = workspace.generated / "sbom", {spec.identity: spec for spec in workspace.specs}
    wanted = {folder / f"{each.place}.cdx.json": each for each in build.artifacts}
    for stale in set(folder.glob("*/*.cdx.json")) - wanted.keys():
        stale.unlink(missing_ok=True)
    written, alike = [], dict[str, Any]()
    for path, artifact in wanted.items():
        if _serial_number(artifact) in _head(path):
            continue
        bill = _bill(artifact, _targets(specs[artifact.identity], artifact), path, alike)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(path)
        written.append(path)
    return tuple(written)


def _bill(artifact: Artifact, targets: Sequence[Target], path: Path, alike: dict[str, Any]) -> dict[str, Any]:
    """Return the bill of ``artifact``.

    Everything but its head is that of the last one, at ``path``, or of another artifact of this build, in
    ``alike``, where the distributions are the same.
    """
    key = json.dumps([artifact.identity.partition("/")[0], properties := _properties(artifact, targets)])
    if key not in alike:
        alike[key] = _last(path, properties)
    if alike[key] is None:
        from build.inspection.contents import read_distributions

        alike[key] = sbom_of(artifact, read_distributions(artifact.path), targets)
    root, *others = alike[key]["dependencies"]
    dependencies = [{**root, "ref": artifact.identity}, *others]
    return {**alike[key], **_head_of(artifact, targets), "dependencies": dependencies}


def _last(path: Path, properties: object) -> Any:
    """Return the bill at ``path`` if ``properties`` decided it; None if not, or if another version wrote it."""
    try:
        last = json.loads(path.read_bytes())
        return last if last["metadata"]["component"]["properties"] == properties and last["dependencies"] else None
    except (OSError, LookupError, TypeError, ValueError):
        return None


def _properties(artifact: Artifact, targets: Sequence[Target]) -> list[dict[str, str]]:
    """Return what decides everything in a bill but its head."""
    wheels = sorted(f"{each.name} {each.version} {each.wheel.hex}" for each in artifact.distributions)
    return [
        {"name": "slipway:writer", "value": str(_WRITER)},
        {"name": "slipway:targets", "value": ", ".join(map(str, targets))},
        {"name": "slipway:distributions", "value": Digest.of_bytes("\n".join(wheels).encode()).hex},
    ]


def sbom_of(artifact: Artifact, distributions: "Sequence[Held]", targets: Sequence[Target]) -> dict[str, Any]:
    """Return the bill of ``artifact``, which is for ``targets``, as CycloneDX JSON."""
    environments = _environments(targets)
    described = {(held.name, held.version): held for held in distributions}
    components = {ref: row for row in _components(artifact, described) for ref in [row["bom-ref"]]}
    edges = _edges(artifact, distributions, environments)
    return {
        **_head_of(artifact, targets),
        "components": [components[ref] for ref in sorted(components)],
        "dependencies": [
            {"ref": artifact.identity, "dependsOn": _roots(sorted(components), edges)},
            *({"ref": ref, "dependsOn": sorted(edges.get(ref, ()))} for ref in sorted(components)),
        ],
    }


def _head_of(artifact: Artifact, targets: Sequence[Target]) -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": _serial_number(artifact),
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "slipway"}]},
            "component": {
                "type": "application" if artifact.identity.startswith("functions/") else "library",
                "bom-ref": artifact.identity,
                "name": artifact.key,
                "version": artifact.digest.short,
                "hashes": [{"alg": "SHA-256", "content": artifact.digest.hex}],
                "properties": _properties(artifact, targets),
            },
        },
    }


def _components(artifact: Artifact, described: "Mapping[tuple[str, str], Held]") -> Iterator[dict[str, Any]]:
    for distribution in artifact.distributions:
        held = described.get((distribution.name, distribution.version))
        row: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"{_purl(distribution.name, distribution.version)}#{distribution.wheel.short}",
            "name": distribution.name,
            "version": distribution.version,
            "purl": _purl(distribution.name, distribution.version),
            "hashes": [{"alg": "SHA-256", "content": distribution.wheel.hex}],
        }
        if held and held.has_license_expression:
            row["licenses"] = [{"expression": held.licenses[0]}]
        elif held and held.licenses:
            row["licenses"] = [{"license": {"name": name}} for name in held.licenses]
        yield row


def _edges(artifact: Artifact, distributions: "Sequence[Held]", environments: Environments) -> Mapping[str, set[str]]:
    """Return which component needs which, by bom-ref."""
    from packaging.utils import canonicalize_name

    from build.inspection.reasons import needs

    refs: dict[tuple[str, str], list[str]] = {}
    for each in artifact.distributions:
        ref = f"{_purl(each.name, each.version)}#{each.wheel.short}"
        refs.setdefault((canonicalize_name(each.name), each.version), []).append(ref)
    edges: dict[str, set[str]] = {}
    for folder, markers in environments.items():
        held = {each.name: each for each in distributions if each.folder == folder}
        for name, needed in needs(held, markers).items():
            for ref in refs.get((name, held[name].version), ()):
                found = (refs.get((other, held[other].version), ()) for other in needed)
                edges.setdefault(ref, set()).update(each for group in found for each in group)
    return edges


def _roots(refs: Iterable[str], edges: Mapping[str, set[str]]) -> list[str]:
    """Return the fewest of ``refs`` from which ``edges`` lead to all of them: what nothing else here needs."""
    needed = {other for ref, others in edges.items() for other in others if other != ref}
    roots: list[str] = []
    reached: set[str] = set()
    for ref in sorted(refs, key=lambda ref: (ref in needed, ref)):
        if ref not in reached:
            roots.append(ref)
            pending = [ref]
            while pending:
                each = pending.pop()
                if each not in reached:
                    reached.add(each)
                    pending += edges.get(each, ())
    return sorted(roots)


def _targets(spec: Spec, artifact: Artifact) -> tuple[Target, ...]:
    return tuple(target for target in targets_of(spec) if target.architecture in artifact.architectures)


def _environments(targets: Sequence[Target]) -> Environments:
    """Return the markers of every target that each folder with distributions is for."""
    everywhere = [profile_of(target).markers for target in targets]
    alone = {f"python/lib/{t.runtime}/site-packages": [profile_of(t).markers] for t in targets}
    return {"": everywhere, "python": everywhere, **alone}


def _serial_number(artifact: Artifact) -> str:
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{_WRITER} {artifact.identity} {artifact.digest}')}"


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(500)
    except FileNotFoundError:
        return ""


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{quote(version, safe='')}"
