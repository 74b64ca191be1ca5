"""What a function runs with besides code and limits: each is a key of function.toml, and the same in the hand-off.

But for ``stack``, and of ``rollout`` all that is no matter of Terraform's.

ARNs and ids may hold the placeholders of `Workspace.filled`, or be ``{custom.NAME}``: an output of terraform/custom/.
"""

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from build.rules import arns, quotas, values
from build.rules.rule import (
    Description,
    Flag,
    Kebab,
    Rule,
    Schedule,
    Text,
    Timezone,
    arn_of,
    at_most,
    between,
    distinct,
    matching,
    one_of,
    refused,
    table,
)
from build.rules.words import shown

_Action = Annotated[str, matching(values.action, values.ACTION, "`service:Action`")]
_Resource = Annotated[str, Rule(arns.resource, words="ARNs, or `*`")]
_LONGEST_MIN = 300
"""Of a step: GitHub ends a job after 360 minutes."""
DOCKERFILE = "Dockerfile"
"""In the folder of a function whose image it describes."""
CODEDEPLOY = "codedeploy"
"""Of `Shifting.by`."""
_Subnet = Annotated[str, Rule(arns.identifier("subnet"), words="`subnet-…`")]
_SecretArn = Annotated[
    str,
    matching(
        arns.secret, rf"arn:[^:]*:ssm:[^:]*:[^:]*:.*|{arns.SECRET_ARN}|{arns.CUSTOM}", "ARN of `ssm`, `secretsmanager`"
    ),
]
_BuildArgument = Annotated[str, matching(values.build_argument, values.BUILD_ARGUMENT, "")]
_BuildWord = Annotated[str, matching(values.build_word, values.BUILD_WORD, "")]
_BuildSecret = Annotated[str, matching(values.build_secret, values.BUILD_SECRET, "`env=VARIABLE` or `src=FILE`")]
_SecurityGroup = Annotated[str, Rule(arns.identifier("sg"), words="`sg-…`")]


@table
class Permission:
    """One statement of what the function's role may do."""

    actions: Annotated[tuple[_Action, ...], distinct(1)]
    """IAM actions"""
    resources: Annotated[tuple[_Resource, ...], distinct(1)]
    """What they may be done to"""
    reason: Description | None = None
    """Why so much is needed; required with a wildcard in actions or a bare * in resources"""

    def __post_init__(self) -> None:
        wide = arns.wildcards(self.actions, self.resources)
        if wide and not self.reason:
            listed = ", ".join(map(shown, wide))
            msg = f'a wildcard needs a reason, got {listed}; name what is used, or write reason = "…"'
            raise ValueError(msg)


@table
class Secret:
    """A secret by reference: the function gets its ARN and may read it; its value is never ours."""

    arn: _SecretArn
    """Of a parameter in Parameter Store, or of a secret in Secrets Manager, with the six characters at its end"""
    kms_key_arn: Annotated[str, arn_of("kms")] | None = None
    """Of the key it is encrypted with, if that is one of yours"""


@table
class Network:
    """The part of a VPC the function works in."""

    subnet_ids: Annotated[tuple[_Subnet, ...], distinct(1), at_most(quotas.SUBNETS)]
    """Subnets, in two or more availability zones"""
    security_group_ids: Annotated[tuple[_SecurityGroup, ...], distinct(1), at_most(quotas.SECURITY_GROUPS)]
    """Security groups"""
    ipv6: Flag = False
    """Whether it may reach IPv6 addresses, where the subnets have both"""


@table
class FileSystem:
    """An EFS access point, mounted at every start; the function must be in its VPC."""

    arn: Annotated[str, arn_of("elasticfilesystem")]
    """Of the access point"""
    mount: Annotated[str, matching(values.mount, values.MOUNT, "`/mnt/…`")]
    """Where its files are"""


@table
class ImageConfig:
    """What Lambda starts in an image, in place of what the image says."""

    command: Annotated[tuple[str, ...], at_most(quotas.IMAGE_WORDS)] = ()
    """For CMD; empty for the image's"""
    entry_point: Annotated[tuple[str, ...], at_most(quotas.IMAGE_WORDS)] = ()
    """For ENTRYPOINT; empty for the image's"""
    working_directory: str | None = None
    """For WORKDIR"""

    def __post_init__(self) -> None:
        length = len(self.working_directory or "")
        if length > quotas.IMAGE_WORKDIR_CHARS:
            raise refused(f"a working_directory of at most {quotas.IMAGE_WORKDIR_CHARS} characters", length)


@table
class Dockerfile:
    """What a Dockerfile in the function's folder is built with."""

    arguments: Mapping[_BuildArgument, Text] = field(default_factory=dict)
    """Build arguments, by name"""
    target: _BuildWord | None = None
    """Stage to stop at; left out, the last"""
    secrets: Mapping[_BuildWord, _BuildSecret] = field(default_factory=dict)
    """Where what steps mount as secrets comes from, by id: an environment variable, or a file, from the folder on"""


@table
class Asynchronous:
    """What happens to events that nobody waits for: those of topics, buckets, rules, and invokes of type Event."""

    retries: Annotated[int, between(*quotas.ASYNCHRONOUS_RETRIES)] = 2
    """Times an event is tried again that the function failed"""
    max_age_s: Annotated[int, between(*quotas.ASYNCHRONOUS_AGE_S)] = 21_600
    """Seconds after which an event is given up"""
    on_failure: (
        Annotated[str, Rule(arns.destination, words="`queue`, or ARN of `sqs`, `sns`, `lambda`, `events`")] | None
    ) = None
    """Where it is told what was given up: an ARN (of a queue, topic, bus or function), or "queue": one is made"""
    on_success: Annotated[str, arn_of("sqs", "sns", "lambda", "events")] | None = None
    """Where answers go"""


@table
class ProvisionedSchedule:
    """Hours at which more or fewer environments are kept ready."""

    name: Kebab
    """What it is called"""
    expression: Schedule
    """When it begins"""
    timezone: Timezone = "UTC"
    """In which the expression is read"""
    min: Annotated[int, between(0)]
    """Environments ready at least, from then on"""
    max: Annotated[int, between(0)]
    """Environments ready at most, from then on"""

    def __post_init__(self) -> None:
        if self.max < self.min:
            raise refused(f"a max of at least min, {self.min}", str(self.max))


@table
class Provisioned:
    """Execution environments that are started before anybody calls, for the version that is live."""

    concurrency: Annotated[int, between(1)]
    """Environments kept ready; with max, at least"""
    max: Annotated[int, between(1)] | None = None
    """Environments at most: their number then follows their use"""
    target_percent: Annotated[int, between(*quotas.TARGET_UTILISATION_PERCENT)] = 70
    """Share of them in use that is aimed at"""
    schedules: tuple[ProvisionedSchedule, ...] = ()
    """Hours with other bounds; need max"""

    def __post_init__(self) -> None:
        if self.max is not None and self.max < self.concurrency:
            raise refused(f"a max of at least concurrency, {self.concurrency}", str(self.max))
        if self.schedules and self.max is None:
            raise refused("max beside schedules", "none")


@table
class Alarms:
    """When CloudWatch says that something is wrong; operators decide in envs/<env>.tfvars who is told."""

    enabled: Flag = True
    """Whether there are alarms"""
    errors: Annotated[int, between(1)] = 1
    """Failed invokes within five minutes"""
    throttles: Annotated[int, between(1)] = 1
    """Refused invokes within five minutes"""
    duration_percent: Annotated[int, between(1, 100)] = 90
    """Share of the timeout that the longest invoke takes"""
    dead_letters: Annotated[int, between(1)] = 1
    """Messages in one of its dead-letter queues"""


@table
class Shifting:
    """How callers come to a new version. Alarms are watched meanwhile, or errors: if it goes wrong, all go back."""

    strategy: Annotated[str, one_of(("at-once", "canary", "linear"))] = "at-once"
    """Everybody at once, a share first and then everybody (canary), or share by share (linear)"""
    percent: Annotated[int, between(1, 99)] = 10
    """Share of callers that a canary begins with, and that linear adds with each step"""
    minutes: Annotated[int, between(1, _LONGEST_MIN)] | None = None
    """How long each step takes: by itself 5 for a canary, 1 for linear"""
    watch_minutes: Annotated[int, between(0, _LONGEST_MIN)] = 0
    """How long alarms, or errors where there are none, are watched once everybody has come"""
    after: Annotated[tuple[Kebab, ...], distinct()] = ()
    """Functions of this repository that everybody has come to, and whose watch is over, before this one begins"""
    by: Annotated[str, one_of(("slipway", CODEDEPLOY))] = "slipway"
    """Who moves callers: Slipway itself, or AWS CodeDeploy, in a deployment group that Terraform makes"""
    before_hook: Kebab | None = None
    """Function of this repository that CodeDeploy asks whether anybody may come"""
    after_hook: Kebab | None = None
    """Function of this repository that CodeDeploy asks whether all is well, once everybody has come"""

    def __post_init__(self) -> None:
        if self.hooks and self.by != CODEDEPLOY:
            raise refused(f'by = "{CODEDEPLOY}" beside hooks', f'by = "{self.by}"')
        last = (math.ceil(100 / self.percent) - 1) * self.step_minutes
        if self.by == CODEDEPLOY and self.strategy == "linear" and last > quotas.SHIFTING_MIN:
            most = f"at most {quotas.SHIFTING_MIN} minutes from the first step to the last, which is CodeDeploy's quota"
            raise refused(most, str(last))

    @property
    def hooks(self) -> Mapping[str, str]:
        """Name of the function that CodeDeploy asks, by the key that says so."""
        given = {"before_hook": self.before_hook, "after_hook": self.after_hook}
        return {key: name for key, name in given.items() if name}

    @property
    def step_minutes(self) -> int:
        """How long each step takes."""
        return self.minutes or (5 if self.strategy == "canary" else 1)


@table
class Options:
    """Everything a function runs with that most functions do without."""

    stack: str | None = None
    """Which Terraform state it belongs to; None for the env's own."""
    permissions: tuple[Permission, ...] = ()
    managed_policies: tuple[str, ...] = ()
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """By the environment variable that holds the ARN."""
    network: Network | None = None
    file_system: FileSystem | None = None
    image_config: ImageConfig | None = None
    asynchronous: Asynchronous = Asynchronous()
    dead_letter_arn: str | None = None
    provisioned: Provisioned | None = None
    snap_start: bool = False
    tracing: bool = False
    kms_key_arn: str | None = None
    code_signing_config_arn: str | None = None
    log_level: str | None = None
    """Lowest that reaches the log group; None for the env's own."""
    system_log_level: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    alarms: Alarms = Alarms()
    rollout: Shifting = Shifting()
