"""The hand-off: the one typed file that passes from Python to Terraform.

terraform/variables.tf declares the same keys; a test compares both sides, because Terraform drops
unknown object attributes without a word.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.model import FunctionSpec, Workspace
from build.results import PublishedArtifact

SCHEMA_VERSION = 1

Handoff = Mapping[str, Any]
"""JSON, as terraform/variables.tf declares it."""


def handoff_of(workspace: Workspace, published: Iterable[PublishedArtifact]) -> Handoff:
    """Return the hand-off of ``workspace`` whose artifacts are ``published``."""
    by_identity: dict[str, list[PublishedArtifact]] = {}
    for each in published:
        by_identity.setdefault(each.artifact.identity, []).append(each)
    env = workspace.env
    return {
        "schema_version": SCHEMA_VERSION,
        "name": workspace.name,
        "env": env.name,
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
        "functions": {spec.name: _function(spec, workspace, by_identity) for spec in workspace.functions},
    }


def environment_of(spec: FunctionSpec, digest: Digest) -> dict[str, str]:
    """Return the environment variables of ``spec``, with the digest of its artifact."""
    # The digest may enter here: it changes exactly when the code does. A commit or a time may not.
    return {**spec.environment, "SLIPWAY_ARTIFACT_DIGEST": str(digest)}


def write_handoff(handoff: Handoff, path: Path) -> Digest:
    """Write ``handoff`` to ``path``, whole or not at all; return the digest of its bytes."""
    data = (json.dumps(handoff, indent=2, sort_keys=True) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
    return Digest.of_bytes(data)


def _function(
    spec: FunctionSpec, workspace: Workspace, by_identity: Mapping[str, list[PublishedArtifact]]
) -> dict[str, Any]:
    (published,) = by_identity[spec.identity]
    return {
        "description": spec.description,
        "runtime": str(spec.target.runtime),
        "architecture": str(spec.target.architecture),
        "handler": spec.handler,
        "package_type": "Zip",
        "artifact": _artifact(published),
        "image_uri": None,
        "layers": [_layer_key(layer, spec, by_identity) for layer in spec.layers],
        "memory_mb": spec.memory_mb,
        "timeout_s": spec.timeout_s,
        "ephemeral_storage_mb": spec.ephemeral_storage_mb,
        "environment": environment_of(spec, published.artifact.digest),
        "log_retention_days": spec.log_retention_days,
        "reserved_concurrency": spec.reserved_concurrency,
        "permissions": [
            {
                "actions": list(permission.actions),
                "resources": [workspace.filled(resource) for resource in permission.resources],
                "reason": permission.reason,
            }
            for permission in spec.permissions
        ],
        "http_routes": [trigger.route for trigger in spec.http],
        "queues": {
            queue.name: {
                "batch_size": queue.batch_size,
                "batch_window_s": queue.batch_window_s,
                "max_receive_count": queue.max_receive_count,
                "max_concurrency": queue.max_concurrency,
            }
            for queue in spec.queues
        },
    }


def _artifact(published: PublishedArtifact) -> dict[str, Any]:
    digest = published.artifact.digest
    return {
        "key": published.location,
        "digest_hex": digest.hex,
        "digest_base64": digest.base64,
        "size_bytes": published.artifact.size_bytes,
    }


def _layer_key(layer: str, spec: FunctionSpec, by_identity: Mapping[str, list[PublishedArtifact]]) -> str:
    """Return the hand-off's key of the layer's artifact for the function's architecture, or the ARN as it is."""
    if layer.startswith("arn:"):
        return layer
    fitting = (
        each.artifact.key
        for each in by_identity[f"layers/{layer}"]
        if spec.target.architecture in each.artifact.architectures
    )
    return next(fitting)
