"""The hand-off: the one typed file that passes from Python to Terraform.

terraform/variables.tf declares the same keys; a test compares both sides, because Terraform drops
unknown object attributes without a word.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.model import FunctionSpec, Workspace
from build.options import CODEDEPLOY, Shifting
from build.results import PublishedArtifact
from build.triggers import Triggers

SCHEMA_VERSION = 2

Handoff = Mapping[str, Any]
"""JSON, as terraform/variables.tf declares it."""


def handoff_of(workspace: Workspace, published: Iterable[PublishedArtifact], *, stack: str | None = None) -> Handoff:
    """Return the hand-off of ``workspace``, or of the part of it that ``stack`` holds, made of ``published``."""
    by_identity: dict[str, list[PublishedArtifact]] = {}
    for each in published:
        by_identity.setdefault(each.artifact.identity, []).append(each)
    env = workspace.env
    return {
        "schema_version": SCHEMA_VERSION,
        "name": workspace.name,
        "env": env.name,
        "stack": stack,
        "region": env.region,
        "account_id": env.account_id,
        "artifact_bucket": env.artifact_bucket,
        "layers": {
            each.artifact.key: {
                "description": layer.description,
                "runtimes": [str(runtime) for runtime in layer.runtimes],
                "architectures": [str(architecture) for architecture in each.artifact.architectures],
                "artifact": _artifact(each),
            }
            for layer in workspace.layers
            for each in by_identity[layer.identity]
        },
        "http_api": _plain(workspace.http_api, workspace.filled),
        "functions": {spec.name: _function(spec, workspace, by_identity) for spec in workspace.functions},
    }


def environment_of(spec: FunctionSpec, digest: Digest, filled: Callable[[str], str] = str) -> dict[str, str]:
    """Return the environment variables of ``spec``, with the ARNs of its secrets and the digest of its artifact."""
    secrets = {variable: filled(secret.arn) for variable, secret in spec.options.secrets.items()}
    # The digest may enter here: it changes exactly when the code does. A commit or a time may not.
    return {**spec.environment, **secrets, "SLIPWAY_ARTIFACT_DIGEST": str(digest)}


def part_of(handoff: Handoff, stack: str, functions: Collection[str]) -> Handoff:
    """Return what of a whole env's ``handoff`` the state of ``stack`` holds, given the names of its ``functions``."""
    # What was recorded before there were the keys has them not.
    later = {"codedeploy": None, "image_config": None}
    mine = {name: {**later, **each} for name, each in handoff["functions"].items() if name in functions}
    used = {layer for each in mine.values() for layer in each["layers"]}
    elsewhere = {layer for each in handoff["functions"].values() for layer in each["layers"]} - used
    kept = {key: each for key, each in handoff["layers"].items() if (key in used if stack else key not in elsewhere)}
    return {**handoff, "stack": stack or None, "functions": mine, "layers": kept}


def digest_of(handoff: Handoff) -> Digest:
    """Return the digest of the bytes that `write_handoff` writes."""
    return Digest.of_bytes(_bytes(handoff))


def write_handoff(handoff: Handoff, path: Path) -> Digest:
    """Write ``handoff`` to ``path``, whole or not at all; return the digest of its bytes."""
    data = _bytes(handoff)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
    return Digest.of_bytes(data)


def _bytes(handoff: Handoff) -> bytes:
    return (json.dumps(handoff, indent=2, sort_keys=True) + "\n").encode()


def artifact_of(place: Handoff) -> Mapping[str, Any] | None:
    """Return digest_hex, key and size_bytes of what a function or layer of a hand-off is made of, if it says.

    The key of an image is its URI; how large it is no hand-off says.
    """
    uri = place.get("image_uri")
    if uri:
        return {"digest_hex": uri.rpartition("@sha256:")[2], "key": uri, "size_bytes": 0}
    return place.get("artifact")


def code_sha256_of(function: Handoff) -> str | None:
    """Return what Lambda calls CodeSha256: of a zip its digest in base64, of an image the image's in hex."""
    artifact = artifact_of(function)
    if artifact is None:
        return None
    digest = Digest(artifact["digest_hex"])
    return digest.hex if function.get("image_uri") else digest.base64


def _function(
    spec: FunctionSpec, workspace: Workspace, by_identity: Mapping[str, list[PublishedArtifact]]
) -> dict[str, Any]:
    (published,) = by_identity[spec.identity]
    code: dict[str, Any] = {"package_type": "Zip", "artifact": _artifact(published), "image_uri": None}
    if spec.is_image:  # its layers are in it
        code = {"package_type": "Image", "artifact": None, "image_uri": published.location}
    return {
        "description": spec.description,
        "runtime": str(spec.target.runtime),
        "architecture": str(spec.target.architecture),
        "handler": spec.handler,
        **code,
        "layers": [] if spec.is_image else [_layer_key(layer, spec, by_identity) for layer in spec.layers],
        "memory_mb": spec.memory_mb,
        "timeout_s": spec.timeout_s,
        "ephemeral_storage_mb": spec.ephemeral_storage_mb,
        "environment": environment_of(spec, published.artifact.digest, workspace.filled),
        "log_retention_days": spec.log_retention_days,
        "reserved_concurrency": spec.reserved_concurrency,
        **_without(_plain(spec.options, workspace.filled), "stack", "rollout"),
        "codedeploy": _codedeploy(spec.options.rollout),
        "managed_policies": [_policy_arn(policy, workspace) for policy in spec.options.managed_policies],
        "triggers": _triggers(spec.triggers, workspace.filled),
    }


def _codedeploy(rollout: Shifting) -> dict[str, Any] | None:
    if rollout.by != CODEDEPLOY:
        return None
    hooks = {"before_hook": rollout.before_hook, "after_hook": rollout.after_hook}
    return {"strategy": rollout.strategy, "percent": rollout.percent, "minutes": rollout.step_minutes, **hooks}


def _policy_arn(policy: str, workspace: Workspace) -> str:
    if policy.startswith(("arn:", "{")):
        return workspace.filled(policy)
    return f"arn:{workspace.env.partition}:iam::aws:policy/{policy}"


def _triggers(triggers: Triggers, filled: Callable[[str], str]) -> dict[str, Any]:
    """Return each kind of trigger by name, routes by their route, taken as it stands: {name} may be a path variable."""
    kinds: dict[str, Any] = {}
    for kind, value in ((each.name, getattr(triggers, each.name)) for each in fields(triggers)):
        if isinstance(value, tuple):
            key = "route" if kind == "http" else "name"
            kinds[kind] = {getattr(each, key): _without(_plain(each, filled), key) for each in value}
        else:
            kinds[kind] = _plain(value, filled)
    return kinds


def _plain(value: Any, filled: Callable[[str], str]) -> Any:
    """Return a table of settings as JSON, with its placeholders filled in."""
    if isinstance(value, str):
        return filled(value)
    if isinstance(value, Mapping):
        return {key: _plain(item, filled) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item, filled) for item in value]
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name), filled) for each in fields(value)}
    return value


def _without(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in keys}


def _artifact(published: PublishedArtifact) -> dict[str, Any]:
    digest = published.artifact.digest
    return {
        "key": published.location,
        "digest_hex": digest.hex,
        "digest_base64": digest.base64,
        "size_bytes": published.artifact.size_bytes,
    }


def _layer_key(layer: str, spec: FunctionSpec, by_identity: Mapping[str, list[PublishedArtifact]]) -> str:
    """Return the hand-off's key of the layer for the function's architecture, or a foreign layer as it is."""
    if layer in spec.foreign_layers:
        return layer
    fitting = (
        each.artifact.key
        for each in by_identity[f"layers/{layer}"]
        if spec.target.architecture in each.artifact.architectures
    )
    return next(fitting)
