"""Images of functions, from their bases to the registry that Lambda takes them from."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build.digest import Digest
from build.errors import InputError
from build.image import Assembled, Blob, Image
from build.images.manifests import ARCHITECTURES
from build.local import cloud
from build.local.deployment import Deployment
from build.local.stand_in import is_stand_in, stand_in
from build.model import Artifact, Build, Built, FunctionSpec, Runtime, Workspace
from build.project.profiles import host_architecture
from build.release.aws import Aws
from build.release.images import Ecr
from build.release.publishers import S3Publisher
from build.report import Reporter
from build.results import Plan, PublishedArtifact
from build.rules.references import Reference
from build.store.objects import Store

if TYPE_CHECKING:
    from build.images.bases import Bases

_PUSHED_AT_ONCE = 4
"""Layers. A connection to ECR is rarely the whole of what a line takes."""
_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.\S+")


@dataclass  # no slots: a cached property needs room
class Grounds:
    """The bases of a workspace's images."""

    workspace: Workspace
    store: Store
    show: Reporter
    _stand_ins: dict[Runtime, Image] = field(init=False, default_factory=dict)

    def base_of(self, spec: FunctionSpec) -> Image:
        """Return what the image of ``spec`` stands on. Its layers may have to be fetched when they are wanted.

        Raises InputError without a pinned base, but on the embedded cloud: there a stand-in takes the place of one
        that was not fetched yet, or is for other machines.
        """
        pinned = Reference.parse(spec.base_image) if spec.base_image else None
        if self.workspace.env.is_local and not (pinned and self._is_usable(pinned)):
            return self._stand_in(spec.target.runtime)
        if pinned is None:
            raise InputError(
                f"{spec.identity} is an image, and nothing says on which base",
                facts=[f"expected a base for {spec.target} in base-images.toml, or base_image in its function.toml"],
                hint="run `invoke image.pull-base`, and commit the base-images.toml that it writes",
            )
        return self.bases.image(pinned)

    def obstacle(self, spec: FunctionSpec) -> str:
        """Say why the Dockerfile of ``spec`` is not built on the embedded cloud; empty if it is, or if there is none.

        A stand-in has neither the package manager nor the compilers that Dockerfiles are for.
        """
        if spec.dockerfile is None or not self.workspace.env.is_local:
            return ""
        from build.images.builders import builder_here
        from build.images.dockerfile import is_known, wants_base

        has_base = not wants_base(spec) or (spec.base_image and self._is_usable(Reference.parse(spec.base_image)))
        if has_base and is_known(spec, self.store, base_of=self.base_of):
            return ""
        if builder_here() is None:
            return "nothing here builds a Dockerfile: install docker, podman or buildah"
        return "" if has_base else f"its base is not here for {host_architecture()}: run `invoke image.pull-base`"

    def layer_of(self, spec: FunctionSpec) -> Callable[[Blob], Path]:
        """Return what gives the file of a layer of the base of ``spec``, fetched if need be."""
        if not spec.base_image:
            return lambda blob: self.store.blob(blob.digest)
        return lambda blob: self.bases.layer(Reference.parse(spec.base_image), blob)

    @cached_property
    def bases(self) -> "Bases":
        """The way to bases that are pinned."""
        from build.images.bases import Bases

        return Bases(self.store, credentials=login_of, say=self.show.say)

    def _is_usable(self, pinned: Reference) -> bool:
        known, wanted = self.bases.known(pinned), ARCHITECTURES[host_architecture()]
        return known is not None and known.architecture == wanted and self.bases.is_here(pinned)

    def _stand_in(self, runtime: Runtime) -> Image:
        if runtime not in self._stand_ins:
            self._stand_ins[runtime] = stand_in(self.workspace.root, runtime, self.store, say=self.show.say)
            self.show.say(f"images for {runtime} stand on this machine's Python: `invoke image.pull-base` brings AWS's")
        return self._stand_ins[runtime]


def buildable(workspace: Workspace, show: Reporter, *, all_of_it: bool = False) -> Workspace:
    """Return ``workspace`` without the functions that are not built on the embedded cloud, and tell why of each.

    Where ``all_of_it`` was asked for, they are an InputError.
    """
    if not any(spec.dockerfile for spec in workspace.functions):
        return workspace
    grounds = Grounds(workspace, Store(workspace.generated / "store"), show)
    obstacles = {spec.identity: obstacle for spec in workspace.functions if (obstacle := grounds.obstacle(spec))}
    told = [f"{identity}: {obstacle}" for identity, obstacle in obstacles.items()]
    if told and all_of_it:
        raise InputError(
            "what was asked for cannot be built here", facts=told, hint="do what is said, then run `invoke build`"
        )
    for line in told:
        show.note(f"skipped: {line}")
    return replace(workspace, functions=tuple(spec for spec in workspace.functions if spec.identity not in obstacles))


def publish_images(built: Built, aws: Aws, show: Reporter) -> Iterator[PublishedArtifact]:
    """Push what its repository lacks, and yield where every image is. Repositories are made if they are not there.

    What several images have in common is sent once, and mounted from the first one's repository. Raises InputError
    for an image on a stand-in, unless it stays on the embedded cloud.
    """
    images = built.build.images
    if not images:
        return
    from build.images.assembled import content_of

    workspace = built.workspace
    if not workspace.env.is_local:
        _refuse_stand_ins(images, workspace.env.name)
    ecr = ecr_of(workspace, aws)
    grounds = Grounds(workspace, Store(workspace.generated / "store"), show)
    specs = {spec.name: spec for spec in workspace.functions}
    source = None
    for name, made in sorted(images.items()):
        repository = f"{workspace.prefix}/{name}"
        place = ecr.repository(repository)
        lacks = not ecr.has(repository, made.image.digest)
        if lacks:
            show.say(f"pushing {repository} ({made.image.size_bytes / 1e6:.1f} MB)")
            content = content_of(made, grounds.store, grounds.layer_of(specs[name]))
            _push(made.image, place, content, ecr=ecr, mount=source, grounds=grounds)
        source = source or repository
        artifact = built.build.shipped(name)
        yield PublishedArtifact(artifact=artifact, location=f"{place}@{made.image.digest}", uploaded=lacks)


def empty_repositories(plans: Iterable[Plan], ecr: Ecr) -> None:
    """Remove the images of every repository that ``plans`` delete: ECR deletes none that has any."""
    for change in (each for plan in plans for each in plan.document.get("resource_changes", ())):
        if change["type"] == "aws_ecr_repository" and "delete" in change["change"]["actions"]:
            ecr.emptied(change["change"]["before"]["name"])


def deployment_of(spec: FunctionSpec, made: Build, grounds: Grounds) -> Deployment:
    """Return a function as it was built, unpacked, as Lambda would run it."""
    from build.images.assembled import content_of
    from build.local.built import image_deployment, zip_deployment

    image = made.images.get(spec.name)
    if image is None:
        layers, code = (layer.digest for layer in made.layers_of(spec)), made.functions[spec.name].digest
        return zip_deployment(spec, grounds.workspace, grounds.store, code=code, layers=layers)
    content = content_of(image, grounds.store, grounds.layer_of(spec))
    return image_deployment(spec, grounds.workspace, image.image, lambda layer: nullcontext(content(layer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvPublisher:
    """Where all of an env's artifacts are: zips in its bucket, images in its repositories."""

    s3: S3Publisher
    ecr: Callable[[], Ecr]

    def exists(self, location: str, digest: Digest) -> bool:
        """Tell whether what has ``digest`` is at ``location``, the key of an object or the URI of an image."""
        uri, _, said = location.partition("@")
        if not said:
            return self.s3.exists(location, digest)
        return said == str(digest) and self.ecr().has(uri.partition("/")[2], digest)

    def publish(self, location: str, artifact: Artifact) -> None:
        """Put a zip into the bucket."""
        self.s3.publish(location, artifact)


def ecr_of(workspace: Workspace, aws: Aws) -> Ecr:
    """Return the repositories of a workspace's env."""
    env = workspace.env
    return Ecr(client=aws.client("ecr"), account_id=env.account_id, tags={"slipway": workspace.name, "env": env.name})


def _push(
    image: Image, place: str, content: Callable[[Blob], Path], *, ecr: Ecr, mount: str | None, grounds: Grounds
) -> None:
    host, _, repository = place.partition("/")
    say, workspace = grounds.show.say, grounds.workspace
    with ThreadPoolExecutor(_PUSHED_AT_ONCE) as pool:
        if not workspace.env.is_local:
            from build.images.pushing import push_image
            from build.images.registry import Registry

            push_image(image, Registry(host, ecr.login), repository, content=content, pool=pool, mount=mount, say=say)
            return
        from build.local.images import depot_of

        running = cloud.running(workspace.root)
        depot = depot_of(workspace.root, running.registry if running else "")
        depot.push(image, repository, content=content, pool=pool, mount=mount, say=say)
    ecr.client.put_image(  # moto has no registry: it is told of what the depot holds
        repositoryName=repository,
        imageManifest=image.manifest.decode(),
        imageManifestMediaType=image.media_type,
        imageTag=image.digest.hex,
        imageDigest=str(image.digest),
    )


def _refuse_stand_ins(images: Mapping[str, Assembled], env: str) -> None:
    """Raise InputError if any of ``images``, by function, stands on a stand-in: none of them may leave this machine."""
    wrong = sorted(name for name, made in images.items() if is_stand_in(made.image))
    if wrong:
        raise InputError(
            f"images for env {env} stand on this machine's Python instead of a base of AWS's",
            facts=[f"functions/{name}" for name in wrong],
            hint=f"run `invoke image.pull-base`, then `invoke deploy --env {env}`",
        )


def login_of(host: str) -> Callable[[], tuple[str, str]] | None:
    """Return what gives name and password for ``host``: of ECR by AWS, of others as `docker login` left it."""
    ecr = _ECR.fullmatch(host)
    if ecr:
        account_id, region = ecr.groups()

        def login() -> tuple[str, str]:
            import boto3

            return Ecr(client=boto3.client("ecr", region_name=region), account_id=account_id, tags={}).login()

        return login
    return _docker_login(host)


def _docker_login(host: str) -> Callable[[], tuple[str, str]] | None:
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        told: Any = json.loads((folder / "config.json").read_bytes())["auths"][host]["auth"]
        name, _, password = base64.b64decode(told).decode().partition(":")
    except (OSError, LookupError, TypeError, ValueError):
        return None
    return lambda: (name, password)
