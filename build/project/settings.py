"""What slipway.toml, function.toml and layer.toml may say.

Tables whose keys may come from several places (defaults, then the function, then its override for
one env) stay dicts, ready to be merged; tables that stand alone become the frozen values of `triggers`
and `options`.
Importing this module imports pydantic: do so inside functions.
"""

from typing import Annotated, NotRequired, Required

from pydantic import Field, StrictBool, StrictInt, StrictStr, TypeAdapter, with_config
from typing_extensions import TypedDict

from build.http import Authorizer, Cors, Domain, HttpTrigger, LoadBalancerTrigger, Throttle, UrlTrigger
from build.model import SLIMMING, Architecture
from build.options import (
    Alarms,
    Asynchronous,
    Dockerfile,
    FileSystem,
    ImageConfig,
    Network,
    Permission,
    Provisioned,
    Secret,
    Shifting,
)
from build.project.profiles import RUNTIMES
from build.rules import arns, quotas, values
from build.rules.rule import Description, Kebab, Rule, arn_of, at_most, between, distinct, matching, one_of
from build.rules.words import KEBAB
from build.triggers import (
    BucketTrigger,
    EventTrigger,
    QueueTrigger,
    ScheduleTrigger,
    StreamTrigger,
    TopicTrigger,
)

_Runtime = Annotated[StrictStr, one_of([str(runtime) for runtime in RUNTIMES])]
_Architecture = Annotated[StrictStr, one_of([architecture.value for architecture in Architecture])]
_Slimming = Annotated[StrictStr, one_of(SLIMMING)]
_KEEP = "Kinds of files that no function needs to run, and that ship nevertheless"
_Layer = Annotated[StrictStr, Rule(arns.layer, words="folders under `layers/`, or ARNs of layer versions")]
_ForeignLayer = Annotated[
    StrictStr, matching(arns.foreign_layer, f"{arns.LAYER_ARN}|{arns.CUSTOM}", "ARN of a layer version")
]
_Variable = Annotated[StrictStr, matching(values.variable, values.VARIABLE, "")]
_NAME = Rule(values.repository_name, words=f"kebab-case, up to {quotas.REPOSITORY_NAME_CHARS} characters")
_REGION = matching(values.region, values.REGION, "a region such as `eu-central-1`")
_ACCOUNT = matching(values.account_id, values.ACCOUNT, "12 digits")
_BUCKET = Rule(values.bucket, words="{} … {} characters".format(*quotas.BUCKET_NAME_CHARS))
_ARTIFACTS = "Bucket for the artifacts; left out, `<name>-<env>-artifacts-<account_id>-<region>`"
_WATCH = "Whether `invoke watch --sync` may run what is saved here, unreleased; for envs that nobody relies on"
_REMOTE = Rule(values.remote_store, words="`s3://bucket` or `s3://bucket/prefix`")
_Stack = Annotated[StrictStr, Rule(values.stack, words="kebab-case")]
_TagKey = Annotated[StrictStr, Rule(values.tag_key)]
_TagValue = Annotated[StrictStr, Rule(values.tag_value)]
_TAGS = quotas.TAGS - len(values.OWN_TAGS)
_AuthorizerName = Annotated[StrictStr, matching(values.authorizer_name, KEBAB, "in kebab-case, not `iam`")]
_KeyArn = Annotated[StrictStr, arn_of("kms")]


@with_config(extra="forbid")
class TriggersTable(TypedDict, total=False):
    """What invokes the function."""

    http: Annotated[tuple[HttpTrigger, ...], Field(description="Routes of the HTTP API")]
    url: Annotated[UrlTrigger, Field(description="A URL of its own")]
    queue: Annotated[tuple[QueueTrigger, ...], Field(description="Queues to read")]
    topic: Annotated[tuple[TopicTrigger, ...], Field(description="Topics to be told of")]
    event: Annotated[tuple[EventTrigger, ...], Field(description="Events of a bus")]
    schedule: Annotated[tuple[ScheduleTrigger, ...], Field(description="Times to run at")]
    bucket: Annotated[tuple[BucketTrigger, ...], Field(description="Buckets to be told of")]
    stream: Annotated[tuple[StreamTrigger, ...], Field(description="Streams to read")]
    load_balancer: Annotated[tuple[LoadBalancerTrigger, ...], Field(description="Load balancers to answer")]


@with_config(extra="forbid")
class FunctionSettings(TypedDict, total=False):
    """Settings that [defaults] may give to every function."""

    runtime: Annotated[_Runtime, Field(description="Lambda runtime")]
    architecture: Annotated[_Architecture, Field(description="Instruction set; on env local always that of the host")]
    handler: Annotated[
        StrictStr,
        matching(values.handler, values.HANDLER, f"`module.function`, up to {quotas.HANDLER_CHARS} characters"),
        Field(description="What Lambda calls, below src/"),
    ]
    package: Annotated[
        StrictStr, Rule(values.package, {"enum": ["zip", "image"]}), Field(description="Package type of Lambda")
    ]
    base_image: Annotated[
        StrictStr,
        Rule(values.base_image, words="`HOST/REPOSITORY:TAG@sha256:…`"),
        Field(description="What an image is made on; left out, AWS's own for the runtime, as base-images.toml pins it"),
    ]
    layers: Annotated[
        tuple[_Layer, ...],
        distinct(),
        Field(description="What is merged in /opt, in this order; five at most"),
    ]
    memory_mb: Annotated[StrictInt, between(*quotas.MEMORY_MB), Field(description="Memory; CPU grows with it")]
    timeout_s: Annotated[
        StrictInt, between(*quotas.TIMEOUT_S), Field(description="Longest run of one invoke, in seconds")
    ]
    ephemeral_storage_mb: Annotated[StrictInt, between(*quotas.EPHEMERAL_STORAGE_MB), Field(description="Size of /tmp")]
    keep: Annotated[tuple[_Slimming, ...], distinct(), Field(description=_KEEP)]
    environment: Annotated[
        dict[_Variable, StrictStr],
        Field(description="Environment variables"),
    ]
    log_retention_days: Annotated[
        StrictInt, one_of(quotas.LOG_RETENTION_DAYS), Field(description="Days CloudWatch keeps log lines")
    ]
    reserved_concurrency: Annotated[
        StrictInt, between(0), Field(description="Concurrent invokes kept for the function, and its bound; 0 stops it")
    ]
    permissions: Annotated[
        tuple[Permission, ...], Field(description="What the role may do besides writing its own logs")
    ]
    managed_policies: Annotated[
        tuple[Annotated[StrictStr, Rule(arns.managed_policy, words="names or ARNs")], ...],
        distinct(),
        at_most(quotas.MANAGED_POLICIES),
        Field(description="Policies of AWS by name, or others by ARN, that the role gets, too"),
    ]
    secrets: Annotated[
        dict[_Variable, Secret], Field(description="Secrets, by the environment variable that gets the ARN")
    ]
    network: Annotated[Network, Field(description="The part of a VPC it works in")]
    file_system: Annotated[FileSystem, Field(description="An EFS file system to mount")]
    image_config: Annotated[ImageConfig, Field(description="What Lambda starts in an image")]
    asynchronous: Annotated[Asynchronous, Field(description="What happens to events that nobody waits for")]
    dead_letter_arn: Annotated[
        StrictStr,
        arn_of("sqs", "sns"),
        Field(description="Queue or topic that gets events that were given up, without the reason"),
    ]
    provisioned: Annotated[Provisioned, Field(description="Environments started before anybody calls")]
    snap_start: Annotated[StrictBool, Field(description="Whether new environments start from a snapshot")]
    tracing: Annotated[StrictBool, Field(description="Whether X-Ray follows requests")]
    kms_key_arn: Annotated[_KeyArn, Field(description="Key that environment variables are encrypted with")]
    code_signing_config_arn: Annotated[
        StrictStr, arn_of("lambda"), Field(description="Whose signatures the code must have")
    ]
    log_level: Annotated[
        StrictStr, one_of(quotas.LOG_LEVELS), Field(description="Lowest level of its own lines that is kept")
    ]
    system_log_level: Annotated[
        StrictStr,
        one_of(quotas.SYSTEM_LOG_LEVELS),
        Field(description="Lowest level of Lambda's lines that is kept; WARN keeps no REPORT"),
    ]
    tags: Annotated[
        dict[_TagKey, _TagValue],
        Rule(values.at_most(_TAGS), {"maxProperties": _TAGS}, f"at most {_TAGS}"),
        Field(description="Tags, besides those of the env"),
    ]
    alarms: Annotated[Alarms, Field(description="When CloudWatch says that something is wrong")]
    rollout: Annotated[Shifting, Field(description="How callers come to a new version; on env local at once")]
    stack: Annotated[_Stack, Field(description="Which Terraform state it belongs to; left out, the env's own")]


@with_config(extra="forbid")
class FunctionOverrides(FunctionSettings, total=False):
    """Settings of one function that hold in one env only."""

    description: Annotated[Description, Field(description="What the function does")]
    dockerfile: Annotated[Dockerfile, Field(description="What its Dockerfile is built with")]
    triggers: Annotated[TriggersTable, Field(description="What invokes the function")]


@with_config(extra="forbid")
class FunctionTable(FunctionOverrides, total=False):
    """One function: functions/<name>/function.toml."""

    env: Annotated[
        dict[Kebab, FunctionOverrides],
        Field(description="Every key of this file, for one env"),
    ]


@with_config(extra="forbid")
class LayerTable(TypedDict):
    """One layer: layers/<name>/layer.toml."""

    description: Annotated[Description, Field(description="What the layer holds")]
    runtimes: Annotated[
        tuple[_Runtime, ...], distinct(1), Field(description="Runtimes of the functions that may use it")
    ]
    architectures: Annotated[
        tuple[_Architecture, ...], distinct(1), Field(description="Architectures of the functions that may use it")
    ]
    keep: NotRequired[Annotated[tuple[_Slimming, ...], distinct(), Field(description=_KEEP)]]


@with_config(extra="forbid")
class HttpApiTable(TypedDict, total=False):
    """What holds for all routes of the HTTP API."""

    cors: Annotated[Cors, Field(description="Which pages of other origins may call")]
    throttle: Annotated[Throttle, Field(description="Requests each route takes that says nothing else")]
    authorizers: Annotated[
        dict[_AuthorizerName, Authorizer], Field(description="Who may call, by the name that routes use")
    ]
    domain: Annotated[Domain, Field(description="Where it answers, besides its own address")]


@with_config(extra="forbid")
class EnvTable(TypedDict, total=False):
    """One place to deploy to."""

    region: Annotated[StrictStr, _REGION, Field(description="AWS region; required but for local")]
    account_id: Annotated[
        StrictStr, _ACCOUNT, Field(description="Account, required but for local; deploying to any other is refused")
    ]
    artifact_bucket: Annotated[StrictStr, _BUCKET, Field(description=_ARTIFACTS)]
    watch: Annotated[StrictBool, Field(description=_WATCH)]
    http_api: Annotated[HttpApiTable, Field(description="What is different for the HTTP API in this env")]
    rollout: Annotated[Shifting, Field(description="How callers come to new versions here; a function may differ")]


@with_config(extra="forbid")
class StoreTable(TypedDict):
    """Where machines share what they fetched and made."""

    remote: Annotated[StrictStr, _REMOTE, Field(description="Where it is")]
    account_id: NotRequired[Annotated[StrictStr, _ACCOUNT, Field(description="Account that the bucket must belong to")]]


@with_config(extra="forbid")
class GithubTable(TypedDict):
    """Where the repository's workflows run."""

    repository: Annotated[
        StrictStr,
        matching(values.github_repository, values.GITHUB_REPOSITORY, "`organisation/repository`"),
        Field(description="Whose workflows may take the roles that `invoke bootstrap` makes"),
    ]


@with_config(extra="forbid")
class SlipwayTable(TypedDict, total=False):
    """The repository: slipway.toml."""

    name: Required[Annotated[StrictStr, _NAME, Field(description="What every AWS name starts with")]]
    defaults: Annotated[FunctionSettings, Field(description="Settings of every function that has no own")]
    http_api: Annotated[HttpApiTable, Field(description="What holds for all routes of the HTTP API")]
    env: Annotated[dict[Kebab, EnvTable], Field(description="The places to deploy to; local is built in")]
    layer_sizes: Annotated[
        dict[_ForeignLayer, Annotated[StrictInt, between(1, quotas.UNZIPPED_BYTES)]],
        Field(description="Unzipped bytes of layer versions from elsewhere, by ARN, for the quota of their functions"),
    ]
    store: Annotated[StoreTable, Field(description="The remote store, if there is one")]
    github: Annotated[GithubTable, Field(description="The repository on GitHub, if its workflows plan and deploy")]


REQUIRED = ("description", "runtime", "architecture")
"""Keys every function must have in the end, whichever file they come from."""

BUILT_IN: FunctionSettings = {
    "handler": "app.handler",
    "package": "zip",
    "layers": (),
    "memory_mb": 256,
    "timeout_s": 30,
    "ephemeral_storage_mb": 512,
    "keep": (),
    "environment": {},
    "log_retention_days": 30,
}
"""What holds where neither [defaults] nor the function says otherwise."""

FUNCTION: TypeAdapter[FunctionTable] = TypeAdapter(FunctionTable)
LAYER: TypeAdapter[LayerTable] = TypeAdapter(LayerTable)
SLIPWAY: TypeAdapter[SlipwayTable] = TypeAdapter(SlipwayTable)
