"""What slipway.toml, function.toml and layer.toml may say.

Tables whose keys may come from several places (defaults, then the function, then its override for
one env) stay dicts, ready to be merged; tables that stand alone become frozen models with defaults.
Importing this module imports pydantic: do so inside functions.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired, Required, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictInt,
    StrictStr,
    TypeAdapter,
    model_validator,
    with_config,
)
from pydantic_core import PydanticCustomError, core_schema
from typing_extensions import TypedDict

from build.model import SLIMMING, Architecture
from build.project import naming, quotas, values
from build.project.problems import RULE, shown
from build.project.profiles import RUNTIMES


@dataclass(frozen=True, slots=True)
class Rule:
    """Metadata of a type: a check from `values`, and what editors may know of it in JSON Schema's words."""

    problem: Callable[[Any], str | None]
    json: Mapping[str, Any] = field(hash=False)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Run the check after the type's own validation."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add ``json`` to what the type itself says."""
        return {**handler(schema), **self.json}

    def _checked(self, value: object) -> object:
        problem = self.problem(value)
        if problem:
            raise _refusal(problem)
        return value


def _refusal(problem: str) -> PydanticCustomError:
    # An argument, not the template: braces in a person's text must not be read as fields.
    return PydanticCustomError(RULE, "{problem}", {"problem": problem})


def _between(low: int, high: int | None = None) -> Rule:
    return Rule(values.between(low, high), {"minimum": low} | ({} if high is None else {"maximum": high}))


def _one_of(choices: Collection[int] | Collection[str]) -> Rule:
    return Rule(values.one_of(choices), {"enum": list(choices)})


def _text(most: int) -> Rule:
    return Rule(values.text(most), {"minLength": 1, "maxLength": most})


def _distinct(fewest: int = 0) -> Rule:
    return Rule(values.distinct(fewest), {"uniqueItems": True, "minItems": fewest})


def _matching(check: Callable[[str], str | None], pattern: str) -> Rule:
    return Rule(check, {"pattern": f"^({pattern})$"})


# Each table is part of a bigger one: building its own validator, too, would cost 60 ms at every start.
_MODEL = ConfigDict(extra="forbid", frozen=True, defer_build=True)

_Kebab = Annotated[StrictStr, _matching(naming.kebab_problem, naming.KEBAB.pattern)]
_Description = Annotated[StrictStr, _text(quotas.DESCRIPTION_CHARS)]
_Runtime = Annotated[StrictStr, _one_of([str(runtime) for runtime in RUNTIMES])]
_Architecture = Annotated[StrictStr, _one_of([architecture.value for architecture in Architecture])]
_Slimming = Annotated[StrictStr, _one_of(SLIMMING)]
_KEEP = "Kinds of files that no function needs to run, and that ship nevertheless"
_Layer = Annotated[StrictStr, Rule(values.layer, {})]
_LayerArn = Annotated[StrictStr, _matching(values.layer_arn, values.LAYER_ARN.pattern)]
_Variable = Annotated[StrictStr, _matching(values.variable, values.VARIABLE.pattern)]
_Action = Annotated[StrictStr, _matching(values.action, values.ACTION.pattern)]
_Resource = Annotated[StrictStr, Rule(values.resource, {})]


class HttpTable(BaseModel):
    """A route of the env's HTTP API."""

    model_config = _MODEL

    route: Annotated[StrictStr, Rule(values.route, {})] = Field(
        description="METHOD /path, with {variables} and a greedy {rest+} at the end, or $default"
    )


class QueueTable(BaseModel):
    """An SQS queue that the function reads, with a dead-letter queue behind it."""

    model_config = _MODEL

    name: _Kebab = Field(description="Name of the queue, after the function's own")
    batch_size: Annotated[StrictInt, _between(*quotas.BATCH_SIZE)] = Field(
        10, description="Messages in one event at most; above 10, batch_window_s must be at least 1"
    )
    batch_window_s: Annotated[StrictInt, _between(*quotas.BATCH_WINDOW_S)] = Field(
        0, description="Seconds to wait for a batch to fill"
    )
    max_receive_count: Annotated[StrictInt, _between(*quotas.MAX_RECEIVE_COUNT)] = Field(
        5, description="Deliveries of a message before it goes to the dead-letter queue"
    )
    max_concurrency: Annotated[StrictInt, _between(*quotas.QUEUE_CONCURRENCY)] | None = Field(
        None, description="Concurrent invokes by this queue at most; left out, it has no bound of its own"
    )

    @model_validator(mode="after")
    def _window_for_large_batches(self) -> Self:
        if self.batch_size > quotas.BATCH_SIZE_WITHOUT_WINDOW and self.batch_window_s < 1:
            raise _refusal(
                f"a batch_size above {quotas.BATCH_SIZE_WITHOUT_WINDOW} needs a batch_window_s of at least 1, "
                f"got batch_size {self.batch_size} and batch_window_s {self.batch_window_s}"
            )
        return self


class PermissionTable(BaseModel):
    """One statement of what the function's role may do."""

    model_config = _MODEL

    actions: Annotated[tuple[_Action, ...], _distinct(1)] = Field(description="IAM actions, service:Action")
    resources: Annotated[tuple[_Resource, ...], _distinct(1)] = Field(
        description="ARNs; {region}, {account}, {env} and {name} are filled in"
    )
    reason: _Description | None = Field(
        None, description="Why so much is needed; required with a wildcard in actions or a bare * in resources"
    )

    @model_validator(mode="after")
    def _reason_for_wildcards(self) -> Self:
        wide = values.wildcards(self.actions, self.resources)
        if wide and not self.reason:
            listed = ", ".join(map(shown, wide))
            raise _refusal(f'a wildcard needs a reason, got {listed}; name what is used, or write reason = "…"')
        return self


@with_config(extra="forbid")
class TriggersTable(TypedDict, total=False):
    """What invokes the function."""

    http: Annotated[tuple[HttpTable, ...], Field(description="Routes of the HTTP API")]
    queue: Annotated[tuple[QueueTable, ...], Field(description="Queues to read")]


@with_config(extra="forbid")
class FunctionSettings(TypedDict, total=False):
    """Settings that [defaults] may give to every function."""

    runtime: Annotated[_Runtime, Field(description="Lambda runtime")]
    architecture: Annotated[_Architecture, Field(description="Instruction set; on env local always that of the host")]
    handler: Annotated[
        StrictStr,
        _matching(values.handler, values.HANDLER.pattern),
        Field(description="module.function below src/"),
    ]
    package: Annotated[StrictStr, Rule(values.package, {"enum": ["zip"]}), Field(description="Package type")]
    layers: Annotated[
        tuple[_Layer, ...],
        _distinct(),
        Field(description="Folders under layers/, or ARNs of layer versions, in the order Lambda merges them"),
    ]
    memory_mb: Annotated[StrictInt, _between(*quotas.MEMORY_MB), Field(description="Memory; CPU grows with it")]
    timeout_s: Annotated[
        StrictInt, _between(*quotas.TIMEOUT_S), Field(description="Longest run of one invoke, in seconds")
    ]
    ephemeral_storage_mb: Annotated[
        StrictInt, _between(*quotas.EPHEMERAL_STORAGE_MB), Field(description="Size of /tmp")
    ]
    keep: Annotated[tuple[_Slimming, ...], _distinct(), Field(description=_KEEP)]
    environment: Annotated[
        dict[_Variable, StrictStr],
        Field(description="Environment variables; what several places say is merged, name by name"),
    ]
    log_retention_days: Annotated[
        StrictInt, _one_of(quotas.LOG_RETENTION_DAYS), Field(description="Days CloudWatch keeps log lines")
    ]
    reserved_concurrency: Annotated[
        StrictInt, _between(0), Field(description="Concurrent invokes kept for the function, and its bound")
    ]
    permissions: Annotated[
        tuple[PermissionTable, ...], Field(description="What the role may do besides writing its own logs")
    ]


@with_config(extra="forbid")
class FunctionOverrides(FunctionSettings, total=False):
    """Settings of one function that hold in one env only."""

    description: Annotated[_Description, Field(description="What the function does")]
    triggers: Annotated[TriggersTable, Field(description="What invokes the function")]


@with_config(extra="forbid")
class FunctionTable(FunctionOverrides, total=False):
    """One function: functions/<name>/function.toml."""

    env: Annotated[
        dict[_Kebab, FunctionOverrides],
        Field(description="Overrides for one env: lists are replaced, environment is merged"),
    ]


@with_config(extra="forbid")
class LayerTable(TypedDict):
    """One layer: layers/<name>/layer.toml."""

    description: Annotated[_Description, Field(description="What the layer holds")]
    runtimes: Annotated[
        tuple[_Runtime, ...], _distinct(1), Field(description="Runtimes of the functions that may use it")
    ]
    architectures: Annotated[
        tuple[_Architecture, ...], _distinct(1), Field(description="Architectures of the functions that may use it")
    ]
    keep: NotRequired[Annotated[tuple[_Slimming, ...], _distinct(), Field(description=_KEEP)]]


@with_config(extra="forbid")
class EnvTable(TypedDict, total=False):
    """One place to deploy to."""

    region: Annotated[StrictStr, _matching(values.region, values.REGION.pattern), Field(description="AWS region")]
    account_id: Annotated[
        StrictStr,
        _matching(values.account_id, values.ACCOUNT.pattern),
        Field(description="AWS account; deploying to any other is refused"),
    ]
    artifact_bucket: Annotated[StrictStr, Rule(values.bucket, {}), Field(description="Bucket for the artifacts")]


@with_config(extra="forbid")
class StoreTable(TypedDict):
    """Where machines share what they fetched and made."""

    remote: Annotated[StrictStr, Rule(values.remote_store, {}), Field(description="s3://bucket/prefix")]
    account_id: NotRequired[
        Annotated[
            StrictStr,
            _matching(values.account_id, values.ACCOUNT.pattern),
            Field(description="Account that the bucket must belong to"),
        ]
    ]


@with_config(extra="forbid")
class GithubTable(TypedDict):
    """Where the repository's workflows run."""

    repository: Annotated[
        StrictStr,
        _matching(values.github_repository, values.GITHUB_REPOSITORY.pattern),
        Field(description="organisation/repository whose workflows may take the roles that `invoke bootstrap` makes"),
    ]


@with_config(extra="forbid")
class SlipwayTable(TypedDict, total=False):
    """The repository: slipway.toml."""

    name: Required[
        Annotated[StrictStr, Rule(values.repository_name, {}), Field(description="What every AWS name starts with")]
    ]
    defaults: Annotated[FunctionSettings, Field(description="Settings of every function that has no own")]
    env: Annotated[dict[_Kebab, EnvTable], Field(description="The places to deploy to; local is built in")]
    layer_sizes: Annotated[
        dict[_LayerArn, Annotated[StrictInt, _between(1, quotas.UNZIPPED_BYTES)]],
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
    "permissions": (),
}
"""What holds where neither [defaults] nor the function says otherwise."""

FUNCTION: TypeAdapter[FunctionTable] = TypeAdapter(FunctionTable)
LAYER: TypeAdapter[LayerTable] = TypeAdapter(LayerTable)
SLIPWAY: TypeAdapter[SlipwayTable] = TypeAdapter(SlipwayTable)
