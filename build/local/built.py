"""What was built, ready to run as it would be once it is deployed."""

from collections.abc import Iterable
from dataclasses import replace

from build.digest import Digest
from build.image import Image
from build.local import unpack
from build.local.containers import contained
from build.local.deployment import Deployment
from build.local.roots import Fetch, root_of
from build.model import FunctionSpec, Workspace
from build.options import ImageConfig
from build.release.handoff import environment_of
from build.store.objects import Store


def zip_deployment(
    spec: FunctionSpec, workspace: Workspace, store: Store, *, code: Digest, layers: Iterable[Digest]
) -> Deployment:
    """Return ``spec`` with the zips of the store that have these digests, unpacked."""

    def archive(digest: Digest) -> unpack.Archive:
        return unpack.Archive(digest, store.artifact(digest))

    return replace(
        _described(spec, workspace, code),
        runtime=spec.target.runtime,
        task_root=unpack.task_root(workspace.generated, archive(code)),
        opt=unpack.opt(workspace.generated, [archive(layer) for layer in layers]),
    )


def image_deployment(spec: FunctionSpec, workspace: Workspace, image: Image, fetch: Fetch) -> Deployment:
    """Return ``spec`` with ``image``, unpacked. Raises NotRunnableError where this machine cannot run it."""
    root = root_of(workspace.generated, image, fetch)
    return contained(_described(spec, workspace, image.digest), image, root, spec.options.image_config or ImageConfig())


def _described(spec: FunctionSpec, workspace: Workspace, artifact: Digest) -> Deployment:
    return Deployment(
        function_name=workspace.function_name(spec.name),
        version="$LATEST",
        runtime=None,
        handler=spec.handler,
        task_root=workspace.root,
        environment=environment_of(spec, artifact, workspace.filled),
        timeout_s=spec.timeout_s,
        memory_mb=spec.memory_mb,
        ephemeral_storage_mb=spec.ephemeral_storage_mb,
        log_group=workspace.log_group(spec.name),
        region=workspace.env.region,
        account_id=workspace.env.account_id,
    )
