"""Software bills of materials: one CycloneDX 1.6 document for each artifact, beside it and never inside.

They follow from the artifact, its targets, and which of its distributions come from no index. While these are the
same, so is the bill: no time, no random serial number.
Format: https://cyclonedx.org/docs/1.6/json/
"""

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from build.digest import Digest
from build.locking.locks import Lock, targets_of
from build.model import Artifact, Build, Distribution, Spec, Target, Workspace
from build.project.profiles import profile_of
from build.store.exposed import is_gone
from build.store.objects import Store, trust, untouched

if TYPE_CHECKING:  # what reads archives is needed only where distributions changed
    from build.inspection.contents import Held

Environments = Mapping[str, Sequence[Mapping[str, str]]]
"""Marker environments of an artifact's targets, by the folder of the archive that they read (`Held.folder`)."""

_Rows = list[dict[str, Any]]
_WRITER = 3
"""Part of every serial number. Raise it when the same artifact shall have another bill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What a bill is about, with everything that it follows from."""

    artifact: Artifact
    targets: tuple[Target, ...]
    own: frozenset[str]
    """Names of distributions that come from no index, but from a project of the repository or a URL."""

    @property
    def properties(self) -> list[dict[str, str]]:
        """What decides everything in the bill but its head."""
        wheels = sorted(
            f"{each.name} {each.version} {each.wheel.hex}{' own' if each.name in self.own else ''}"
            for each in self.artifact.distributions
        )
        return [
            {"name": "slipway:writer", "value": str(_WRITER)},
            {"name": "slipway:targets", "value": ", ".join(map(str, self.targets))},
            {"name": "slipway:distributions", "value": Digest.of_bytes("\n".join(wheels).encode()).hex},
        ]

    @property
    def serial_number(self) -> str:
        """The same for the same bill."""
        said = f"{self.artifact.identity} {self.artifact.digest} {json.dumps(self.properties)}"
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, said)}"


def bill_of(artifact: Artifact, workspace: Workspace) -> Path:
    """Return where the bill of ``artifact`` is, or would be."""
    return workspace.generated / "sbom" / f"{artifact.place}.cdx.json"


def write_sboms(workspace: Workspace, build: Build, locks: Mapping[str, Lock], store: Store) -> tuple[Path, ...]:
    """Keep ``.artifacts/sbom/`` true to ``build``; return the bills that were written: new ones, and mended ones.

    They are dated as the store's own files, so that one which something wrote to is known and written again. Those
    of folders that are no longer there go; those of artifacts that ``build`` does not hold otherwise stay.
    """
    specs = {spec.identity: spec for spec in workspace.specs}
    wanted = {bill_of(artifact, workspace): artifact for artifact in build.artifacts}
    for path in set((workspace.generated / "sbom").glob("*/*.cdx.json")) - wanted.keys():
        if is_gone(f"{path.parent.name}/{path.name.removesuffix('.cdx.json')}", build, workspace):
            path.unlink(missing_ok=True)
    written = []
    for path, artifact in wanted.items():
        subject = _subject(artifact, specs[artifact.identity], locks[artifact.identity])
        if untouched(path) and subject.serial_number in _head(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(_bill(subject, store), ensure_ascii=False) + "\n", encoding="utf-8")
        trust(draft)
        draft.replace(path)
        written.append(path)
    return tuple(written)


def _subject(artifact: Artifact, spec: Spec, lock: Lock) -> _Subject:
    return _Subject(
        artifact=artifact,
        targets=tuple(target for target in targets_of(spec) if target.architecture in artifact.architectures),
        own=frozenset(pin.name for pin in lock.pins if pin.folder or pin.url),
    )


def _bill(subject: _Subject, store: Store) -> dict[str, Any]:
    """Return the bill as CycloneDX JSON; all but its head is in the store for every artifact with the same properties.

    What is at the bill's own place is never read for it: people may have written there.
    """
    key = Digest.of_bytes(json.dumps([subject.artifact.identity.partition("/")[0], subject.properties]).encode())
    body = store.recall("bill", key, lambda note: (note["components"], note["roots"], note["dependencies"]))
    if body is None:
        from build.inspection.contents import read_distributions

        body = _body(subject, read_distributions(subject.artifact.path))
        store.remember("bill", key, dict(zip(("components", "roots", "dependencies"), body, strict=True)))
    components, roots, dependencies = body
    root = {"dependsOn": roots, "ref": subject.artifact.identity}
    return {**_head_of(subject), "components": components, "dependencies": [root, *dependencies]}


def _body(subject: _Subject, distributions: "Sequence[Held]") -> tuple[_Rows, list[str], _Rows]:
    """Return the components, which of them the artifact itself needs, and what each needs, all by bom-ref."""
    described = {(held.name, held.version): held for held in distributions}
    components = {row["bom-ref"]: row for row in _components(subject, described)}
    edges = _edges(subject.artifact, distributions, _environments(subject.targets))
    refs = sorted(components)
    dependencies = [{"dependsOn": sorted(edges.get(ref, ())), "ref": ref} for ref in refs]
    return [components[ref] for ref in refs], _roots(refs, edges), dependencies


def _head_of(subject: _Subject) -> dict[str, Any]:
    artifact = subject.artifact
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": subject.serial_number,
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "slipway"}]},
            "component": {
                "type": "application" if artifact.identity.startswith("functions/") else "library",
                "bom-ref": artifact.identity,
                "name": artifact.key,
                "version": artifact.digest.short,
                "hashes": [{"alg": "SHA-256", "content": artifact.digest.hex}],
                "properties": subject.properties,
            },
        },
    }


def _components(subject: _Subject, described: "Mapping[tuple[str, str], Held]") -> Iterator[dict[str, Any]]:
    for distribution in subject.artifact.distributions:
        held = described.get((distribution.name, distribution.version))
        row: dict[str, Any] = {
            "type": "library",
            "bom-ref": _ref(distribution),
            "name": distribution.name,
            "version": distribution.version,
            "hashes": [{"alg": "SHA-256", "content": distribution.wheel.hex}],
        }
        if distribution.name not in subject.own:  # an index may have quite another thing of that name
            row["purl"] = f"pkg:pypi/{distribution.name}@{quote(distribution.version, safe='')}"
        if held and held.has_license_expression:
            row["licenses"] = [{"expression": held.licenses[0]}]
        elif held and held.licenses:
            row["licenses"] = [{"license": {"name": name}} for name in held.licenses]
        yield dict(sorted(row.items()))  # as the store gives it back


def _edges(artifact: Artifact, distributions: "Sequence[Held]", environments: Environments) -> Mapping[str, set[str]]:
    """Return which component needs which, by bom-ref."""
    from packaging.utils import canonicalize_name

    from build.inspection.reasons import needs

    refs: dict[tuple[str, str], list[str]] = {}
    for each in artifact.distributions:
        refs.setdefault((canonicalize_name(each.name), each.version), []).append(_ref(each))
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


def _environments(targets: Sequence[Target]) -> Environments:
    """Return the markers of every target that each folder with distributions is for."""
    everywhere = [profile_of(target).markers for target in targets]
    alone = {f"python/lib/{t.runtime}/site-packages": [profile_of(t).markers] for t in targets}
    return {"": everywhere, "python": everywhere, **alone}


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            return stream.read(500)
    except FileNotFoundError:
        return ""


def _ref(distribution: Distribution) -> str:
    return f"{distribution.name}@{distribution.version}#{distribution.wheel.short}"
