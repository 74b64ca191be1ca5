"""What invokes a function: each kind is a table of function.toml, and the same keys in the hand-off.

Importing this costs nothing; the rules speak to pydantic only where files are read. ARNs may hold the
placeholders of `Workspace.filled`, or be ``{custom.NAME}``: an output of terraform/custom/. What comes over HTTP
is in `http`.
"""

from typing import Annotated

from build.http import HttpTrigger, LoadBalancerTrigger, UrlTrigger
from build.rules import arns, quotas, values
from build.rules.rule import (
    Flag,
    JsonObject,
    Kebab,
    Rule,
    Schedule,
    Text,
    Timezone,
    arn_of,
    at_most,
    between,
    distinct,
    one_of,
    refused,
    table,
)

_Texts = Annotated[tuple[Text, ...], distinct()]
_Filters = Annotated[tuple[JsonObject, ...], at_most(quotas.FILTERS)]
_BucketEvent = Annotated[str, Rule(values.bucket_event, words="such as `s3:ObjectRemoved:*`")]
_BatchSize = Annotated[int, between(*quotas.BATCH_SIZE)]
_BatchWindow = Annotated[int, between(*quotas.BATCH_WINDOW_S)]
_TargetRetries = Annotated[int, between(*quotas.TARGET_RETRIES)]
_TargetAge = Annotated[int, between(*quotas.TARGET_AGE_S)]


@table
class QueueTrigger:
    """An SQS queue that the function reads; made with a dead-letter queue behind it, unless it is there already."""

    name: Kebab
    """Name of the queue, after the function's own"""
    arn: Annotated[str, arn_of("sqs")] | None = None
    """Of a queue that exists; left out, one is made"""
    fifo: Flag = False
    """Whether the queue that is made keeps the order of messages of a group"""
    batch_size: _BatchSize = 10
    """Messages in one event at most; above 10, batch_window_s must be at least 1"""
    batch_window_s: _BatchWindow = 0
    """Seconds to wait for a batch to fill"""
    max_receive_count: Annotated[int, between(*quotas.MAX_RECEIVE_COUNT)] = 5
    """Deliveries of a message before it goes to the dead-letter queue; a queue that exists has its own"""
    max_concurrency: Annotated[int, between(*quotas.QUEUE_CONCURRENCY)] | None = None
    """Concurrent invokes by this queue at most; left out, it has no bound of its own"""
    filters: _Filters = ()
    """Patterns: a message that none of them fits is deleted unread"""
    enabled: Flag = True
    """Whether it is read"""

    def __post_init__(self) -> None:
        if self.batch_size > quotas.BATCH_SIZE_WITHOUT_WINDOW and self.batch_window_s < 1 and not self._is_fifo:
            raise refused(
                f"a batch_window_s of at least 1 with a batch_size above {quotas.BATCH_SIZE_WITHOUT_WINDOW}",
                f"batch_size {self.batch_size} and batch_window_s {self.batch_window_s}",
            )
        if self._is_fifo and (self.batch_size > quotas.FIFO_BATCH_SIZE or self.batch_window_s):
            raise refused(
                f"a batch_size up to {quotas.FIFO_BATCH_SIZE} and no batch_window_s for a FIFO queue",
                f"batch_size {self.batch_size} and batch_window_s {self.batch_window_s}",
            )
        if self.arn and self.fifo:
            raise refused("fifo only for a queue that is made: the name of one that exists tells", "arn and fifo")

    @property
    def _is_fifo(self) -> bool:
        return self.fifo or (self.arn or "").endswith(".fifo")


@table
class TopicTrigger:
    """An SNS topic that the function is subscribed to."""

    name: Kebab
    """Name of the topic, after the function's own"""
    arn: Annotated[str, arn_of("sns")] | None = None
    """Of a topic that exists; left out, one is made"""
    filter: JsonObject | None = None
    """Pattern of the messages it gets; left out, all"""
    filter_scope: Annotated[str, one_of(("attributes", "body"))] = "attributes"
    """What of a message the pattern is about"""

    def __post_init__(self) -> None:
        if (self.arn or "").endswith(".fifo"):
            raise refused("a topic that is not FIFO, since those deliver to queues alone", str(self.arn))


@table
class EventTrigger:
    """A rule of EventBridge: events of a bus that fit a pattern."""

    name: Kebab
    """Name of the rule, after the function's own"""
    pattern: JsonObject
    """Which events: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html"""
    bus: Annotated[str, Rule(arns.bus, words="name or ARN")] = "default"
    """Name or ARN of the event bus"""
    retries: _TargetRetries = 185
    """Times an event is tried again that Lambda would not take"""
    max_age_s: _TargetAge = 86_400
    """Seconds after which an event is given up"""
    dead_letter: Flag = True
    """Whether a queue is made for events that are given up"""
    enabled: Flag = True
    """Whether events are delivered"""


@table
class ScheduleTrigger:
    """A schedule of EventBridge Scheduler."""

    name: Kebab
    """Name of the schedule, after the function's own"""
    expression: Schedule
    """When: rate(5 minutes), cron(0 8 ? * MON-FRI *) or at(2030-01-31T08:00:00)"""
    timezone: Timezone = "UTC"
    """In which the expression is read, with its summer time"""
    input: JsonObject = "{}"
    """The event the function gets"""
    flexible_window_min: Annotated[int, between(*quotas.FLEXIBLE_WINDOW_MIN)] | None = None
    """Minutes within which it may start; left out, on time"""
    retries: _TargetRetries = 185
    """Times an invoke is tried again that Lambda would not take"""
    max_age_s: _TargetAge = 86_400
    """Seconds after which an invoke is given up"""
    dead_letter: Flag = True
    """Whether a queue is made for invokes that are given up"""
    enabled: Flag = True
    """Whether it runs"""


@table
class BucketTrigger:
    """Notifications of an S3 bucket."""

    name: Kebab
    """Name of the bucket, after the function's own"""
    arn: Annotated[str, arn_of("s3")] | None = None
    """Of a bucket that exists, whose notifications are then ours alone; left out, one is made"""
    events: Annotated[tuple[_BucketEvent, ...], distinct(1)] = ("s3:ObjectCreated:*",)
    """Kinds of events"""
    prefix: Text = ""
    """What the keys of objects begin with"""
    suffix: Text = ""
    """What the keys of objects end with"""


@table
class StreamTrigger:
    """A stream that the function reads: of Kinesis, or of a DynamoDB table's changes."""

    name: Kebab
    """Name of the stream or table, after the function's own"""
    source: Annotated[str, one_of(("kinesis", "dynamodb"))]
    """What kind of stream"""
    arn: Annotated[str, arn_of("kinesis", "dynamodb")] | None = None
    """Of a stream that exists (for DynamoDB the table's stream, …/stream/…); left out, stream or table are made"""
    partition_key: Text | None = None
    """Of the table that is made: the name of a text attribute"""
    sort_key: Text | None = None
    """Of the table that is made, if it has one: the name of a text attribute"""
    start: Annotated[str, one_of(("latest", "trim-horizon"))] = "latest"
    """Where reading starts: at what comes from now on, or at the oldest record there is"""
    batch_size: _BatchSize = 100
    """Records in one event at most"""
    batch_window_s: _BatchWindow = 0
    """Seconds to wait for a batch to fill"""
    bisect: Flag = True
    """Whether a batch that failed is halved, to find the record that breaks it"""
    retries: Annotated[int, between(*quotas.STREAM_RETRIES)] = 10
    """Times a batch is tried again; until then its shard waits"""
    max_age_s: Annotated[int, between(*quotas.STREAM_AGE_S)] | None = None
    """Seconds after which a record is given up; left out, none is for its age"""
    parallel: Annotated[int, between(*quotas.STREAM_PARALLEL)] = 1
    """Batches of one shard at once"""
    on_failure: Annotated[str, arn_of("sqs", "sns", "s3")] | None = None
    """Where it is told what was given up; left out, a queue is made"""
    filters: _Filters = ()
    """Patterns: a record that none of them fits is passed over"""
    enabled: Flag = True
    """Whether it is read"""

    def __post_init__(self) -> None:
        service = (self.arn or "").split(":")[2:3]
        if service and service != [self.source]:
            raise refused(f"the ARN of a stream of {self.source}, as source says", str(self.arn))
        if service == ["dynamodb"] and "/stream/" not in str(self.arn):
            raise refused("the ARN of the table's stream, …/stream/…", str(self.arn))
        makes_table = self.source == "dynamodb" and self.arn is None
        if makes_table and not self.partition_key:
            raise refused("partition_key for the table that is made, or arn", "neither")
        if not makes_table and (self.partition_key or self.sort_key):
            raise refused("partition_key and sort_key only for a table that is made", self.arn or self.source)


@table
class Triggers:
    """Everything that invokes one function."""

    http: tuple[HttpTrigger, ...] = ()
    url: UrlTrigger | None = None
    queue: tuple[QueueTrigger, ...] = ()
    topic: tuple[TopicTrigger, ...] = ()
    event: tuple[EventTrigger, ...] = ()
    schedule: tuple[ScheduleTrigger, ...] = ()
    bucket: tuple[BucketTrigger, ...] = ()
    stream: tuple[StreamTrigger, ...] = ()
    load_balancer: tuple[LoadBalancerTrigger, ...] = ()
