"""Looks what an env has piled up, and takes away what may go. What AWS does not let go keeps nothing else."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from build.infra.backend import backend_settings, state_bucket, state_key
from build.model import Workspace
from build.release.aliases import AT_ONCE
from build.release.aws import Aws, asking
from build.release.deployed import LATEST, Deployed, aliases_of, deployed
from build.release.garbage import (
    ARTIFACT,
    IMAGE,
    KINDS,
    LAYER,
    RELEASE,
    VERSION,
    Facts,
    Forecast,
    Holdings,
    Thing,
    cleanup,
    growth_of,
)
from build.release.ledger import FOLDER
from build.release.rows import Release
from build.release.saved import LASTS
from build.release.stacks import Stacks

CODE_STORAGE_BYTES = 75 * 1024**3
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; some accounts have more."""
_YOUNG = timedelta(days=1)
_AGAIN = "run the same command again"
_AT_A_TIME = 100
"""ECR deletes no more in one request; S3 ten times as many objects."""


def holdings(workspace: Workspace, aws: Aws, rows: Sequence[Release], now: datetime) -> Holdings:
    """Return all that releases of the env have left behind; ``rows`` are the whole ledger."""
    functions = aws.client("lambda")
    deployed_ever = {
        name for row in rows for name in (*row.handoff.get("functions", ()), *row.versions, *row.live, *row.before)
    }
    names = {name: workspace.function_name(name) for name in sorted(deployed_ever)}
    found = deployed(names, functions)
    young = timedelta() if workspace.env.is_local else _YOUNG  # there nobody else is at work
    with asking("looking at what there is", hint=_AGAIN):
        return Holdings(
            rows=rows,
            names=names,
            functions=found,
            things={
                **dict(_versions(names, found)),
                **dict(
                    _layers(
                        {f"{workspace.prefix}-{key}" for row in rows for key in row.handoff.get("layers", ())},
                        functions,
                    )
                ),
                **dict(_artifacts(aws)),
                **dict(_images(workspace, aws, rows)),
            },
            used=dict(_used({names[name] for name in found}, functions)),
            stated=_stated(workspace, aws),
            now=now,
            # A plan that was saved may still be applied, and then needs what it has published.
            young={**dict.fromkeys(KINDS, young), ARTIFACT: timedelta() if workspace.env.is_local else LASTS},
        )


def forecast(held: Holdings, client: Any) -> Forecast:
    """Return how full Lambda's storage is: of the account in this region, or of the env alone if AWS does not tell."""
    mine = sum(facts.size_bytes for thing, facts in held.things.items() if thing.kind in {VERSION, LAYER})
    growth = growth_of(held.rows)
    try:
        answer = client.get_account_settings()
    except client.exceptions.ClientError:
        return Forecast(used_bytes=mine, limit_bytes=CODE_STORAGE_BYTES, is_whole=False, growth_bytes=growth)
    return Forecast(
        used_bytes=answer["AccountUsage"]["TotalCodeSize"],
        limit_bytes=answer["AccountLimit"]["TotalCodeSize"],
        is_whole=True,
        growth_bytes=growth,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Takes away what may go."""

    held: Holdings
    aws: Aws
    check: Callable[[], None]
    """Raises as soon as the env is another run's."""
    say: Callable[[str], None]

    def run(self, keep: int) -> tuple[tuple[Thing, ...], Mapping[Thing, str]]:
        """Remove what need not stay with the last ``keep`` releases; return what went, and why the rest did not.

        After each kind it is told anew what may go: what AWS did not let go keeps what it needs, and its row.
        """
        gone: list[Thing] = []
        refused: dict[Thing, str] = {}
        for kind in KINDS:
            going = [each for each in cleanup(self.held, keep, refused).going if each.kind == kind]
            if going:
                self.say(f"removing {len(going)} {kind}{'s' if len(going) > 1 else ''}")
                with asking(f"removing {kind}s", hint=_AGAIN):
                    refused |= self._removed(kind, going)
            gone += [each for each in going if each not in refused]
        return tuple(gone), refused

    def _removed(self, kind: str, going: Sequence[Thing]) -> dict[Thing, str]:
        """Remove ``going``, all of one kind, and return what did not go, with the reason."""
        if kind in {ARTIFACT, RELEASE}:
            return self._remove_objects(going)
        remove = {VERSION: self._remove_versions, LAYER: self._remove_layers, IMAGE: self._remove_images}[kind]
        by_owner: defaultdict[str, list[Thing]] = defaultdict(list)
        for each in going:
            by_owner[each.of].append(each)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return {each: why for found in pool.map(remove, by_owner, by_owner.values()) for each, why in found.items()}

    def _remove_versions(self, function: str, going: Sequence[Thing]) -> dict[Thing, str]:
        """Remove versions of ``function``, unless somebody has moved one of its aliases since they were looked at."""
        client = self.aws.client("lambda")
        self.check()
        (was,) = [each for name, each in self.held.functions.items() if self.held.names[name] == function]
        if aliases_of(function, client) != was.aliases:
            return dict.fromkeys(going, "an alias of the function was moved meanwhile")
        refused: dict[Thing, str] = {}
        for each in going:
            # int: with anything that is no number, Lambda would take away more than a version.
            delete = partial(client.delete_function, FunctionName=function, Qualifier=str(int(each.name)))
            refused |= _attempt([each], delete)
        return refused

    def _remove_layers(self, layer: str, going: Sequence[Thing]) -> dict[Thing, str]:
        client = self.aws.client("lambda")
        self.check()
        refused: dict[Thing, str] = {}
        for each in going:
            delete = partial(client.delete_layer_version, LayerName=layer, VersionNumber=int(each.name))
            refused |= _attempt([each], delete)
        return refused

    def _remove_images(self, repository: str, going: Sequence[Thing]) -> dict[Thing, str]:
        client = self.aws.client("ecr")
        refused: dict[Thing, str] = {}
        for some in _parts(going):
            self.check()
            ids = [{"imageDigest": each.name} for each in some]

            def delete(ids: Any = ids) -> Iterator[tuple[str, str]]:
                answer = client.batch_delete_image(repositoryName=repository, imageIds=ids)
                for each in answer.get("failures", ()):
                    yield each["imageId"]["imageDigest"], str(each.get("failureReason"))

            refused |= _attempt(some, delete, {each.name: each for each in some})
        return refused

    def _remove_objects(self, going: Sequence[Thing]) -> dict[Thing, str]:
        """Remove what is in the bucket; the two objects of a row go in one request."""
        env, s3 = self.aws.env, self.aws.client("s3")
        bucket = {"Bucket": env.artifact_bucket, "ExpectedBucketOwner": env.account_id}
        refused: dict[Thing, str] = {}
        for some in _parts(going):
            self.check()
            owners = {key: each for each in some for key in _keys_of(each)}
            keys = [{"Key": key} for key in owners]

            def delete(keys: Any = keys) -> Iterator[tuple[str, str]]:
                answer = s3.delete_objects(**bucket, Delete={"Objects": keys, "Quiet": True})
                for each in answer.get("Errors", ()):
                    yield each["Key"], f"{each.get('Code')}: {each.get('Message')}"

            refused |= _attempt(some, delete, owners)
        return refused


def _parts(things: Sequence[Thing]) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), _AT_A_TIME):
        yield things[start : start + _AT_A_TIME]


def _attempt(
    things: Sequence[Thing], delete: Callable[[], Any], owners: Mapping[str, Thing] = MappingProxyType({})
) -> dict[Thing, str]:
    """Return which of ``things`` AWS did not let go, and why; what was gone already is gone.

    ``delete`` may give those that it did not let go one by one, by a name of which ``owners`` tells whose it is.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = delete()
        return {owners[name]: why for name, why in answer} if owners else {}
    except ClientError as reason:
        if reason.response["Error"]["Code"] == "ResourceNotFoundException":
            return {}
        return dict.fromkeys(things, str(reason))
    except BotoCoreError as reason:
        return dict.fromkeys(things, str(reason))


def _keys_of(thing: Thing) -> tuple[str, ...]:
    """Return the keys of an artifact, or of a row."""
    if thing.kind == ARTIFACT:
        return (thing.name,)
    if not thing.name.isdigit():
        return (f"{FOLDER}{thing.name}.json",)
    return tuple(f"{FOLDER}{int(thing.name):06}/{part}.json" for part in ("started", "ended"))


# ── looking ───────────────────────────────────────────────────────────────────────────────────


def _versions(names: Mapping[str, str], functions: Mapping[str, Deployed]) -> Iterator[tuple[Thing, Facts]]:
    for name, function in functions.items():
        for number, version in function.versions.items():
            if number != LATEST:
                at = datetime.fromisoformat(version.at)
                yield Thing(VERSION, names[name], number), Facts(size_bytes=version.size_bytes, at=at)


def _layers(layers: Iterable[str], client: Any) -> Iterator[tuple[Thing, Facts]]:
    def look(layer: str) -> list[tuple[Thing, Facts]]:
        pages = client.get_paginator("list_layer_versions").paginate(LayerName=layer)
        return [_layer(layer, each) for page in pages for each in page["LayerVersions"]]

    def _layer(layer: str, each: Mapping[str, Any]) -> tuple[Thing, Facts]:
        content = client.get_layer_version(LayerName=layer, VersionNumber=each["Version"])["Content"]
        at = datetime.fromisoformat(each["CreatedDate"])
        facts = Facts(size_bytes=content["CodeSize"], at=at, called=each["LayerVersionArn"])
        return Thing(LAYER, layer, str(each["Version"])), facts

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(look, sorted(layers)):
            yield from found


def _artifacts(aws: Aws) -> Iterator[tuple[Thing, Facts]]:
    env = aws.env
    pages = aws.client("s3").get_paginator("list_objects_v2")
    for folder in ("functions/", "layers/"):
        given = {"Bucket": env.artifact_bucket, "ExpectedBucketOwner": env.account_id, "Prefix": folder}
        for each in (each for page in pages.paginate(**given) for each in page.get("Contents", ())):
            yield Thing(ARTIFACT, "", each["Key"]), Facts(size_bytes=each["Size"], at=each["LastModified"])


def _images(workspace: Workspace, aws: Aws, rows: Iterable[Release]) -> Iterator[tuple[Thing, Facts]]:
    """Yield the images of functions that ever were of package type Image."""
    named = {
        f"{workspace.prefix}/{name}"
        for row in rows
        for name, function in row.handoff.get("functions", {}).items()
        if function.get("image_uri")
    }
    for repository in sorted(named):
        client = aws.client("ecr")
        pages = client.get_paginator("describe_images").paginate(repositoryName=repository)
        try:
            every = [each for page in pages for each in page["imageDetails"]]
        except client.exceptions.RepositoryNotFoundException:
            continue
        for each in every:
            digest = each["imageDigest"]
            facts = Facts(
                size_bytes=each.get("imageSizeInBytes", 0),
                at=each["imagePushedAt"],
                called=digest.removeprefix("sha256:"),
            )
            yield Thing(IMAGE, repository, digest), facts


def _used(functions: Collection[str], client: Any) -> Iterator[tuple[Thing, str]]:
    """Yield versions that something invokes, or keeps ready, by their number."""

    def ready(function: str) -> list[str]:
        pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=function)
        return [each["FunctionArn"] for page in pages for each in page["ProvisionedConcurrencyConfigs"]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        arns = [(arn, "provisioned concurrency") for found in pool.map(ready, sorted(functions)) for arn in found]
    pages = client.get_paginator("list_event_source_mappings").paginate()
    mappings = (each for page in pages for each in page["EventSourceMappings"])
    arns += [(each["FunctionArn"], f"the event source mapping {each['UUID']}") for each in mappings]
    for arn, user in arns:
        function, _, qualifier = arn.partition(":function:")[2].partition(":")
        if qualifier.isdecimal() and function in functions:
            yield Thing(VERSION, function, qualifier), user


def _stated(workspace: Workspace, aws: Aws) -> frozenset[str] | None:
    """Return the layer versions that the states of all stacks name, as recorded; None if a state was written since."""
    env = workspace.env
    stacks = Stacks(
        s3=aws.client("s3"),
        bucket=env.artifact_bucket,
        state_bucket=state_bucket(workspace.root, env.name),
        owner=env.account_id,
    )
    key = backend_settings(workspace.root / "terraform" / "envs" / f"{env.name}.s3.tfbackend")["key"]
    arns: set[str] = set()
    for name, applied in stacks.applied().items():
        if not applied.state or applied.state != stacks.state_of(state_key(key, name)):
            return None
        arns |= {*applied.outputs.get("layers", {}).values()}
    return frozenset(arns)
