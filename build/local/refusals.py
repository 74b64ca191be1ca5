"""What Lambda's Invoke refuses, as errors with the code and status that AWS gives them."""

from typing import ClassVar

from build.errors import AwsError

MAX_REQUEST_BYTES = 6_291_456
MAX_ASYNC_REQUEST_BYTES = 1_048_576
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


class RefusalError(AwsError):
    """Base of the refusals; ``summary`` is AWS's own message."""

    code: ClassVar[str]
    status: ClassVar[int]
    reason: str | None = None


class TooManyRequestsError(RefusalError):
    """All environments the function may have are busy."""

    code = "TooManyRequestsException"
    status = 429

    def __init__(self, *, limit: int, reserved: bool) -> None:
        super().__init__(
            "Rate Exceeded.",
            facts=[f"{limit} invocations at once are allowed{', reserved by the function' if reserved else ''}"],
            hint="wait for earlier invocations to end, or raise `reserved_concurrency` in function.toml",
        )
        self.limit = limit
        prefix = "ReservedFunction" if reserved else ""
        self.reason = f"{prefix}ConcurrentInvocationLimitExceeded"


class RequestTooLargeError(RefusalError):
    """The event is larger than Lambda takes."""

    code = "RequestEntityTooLargeException"
    status = 413

    def __init__(self, *, limit: int, size: int) -> None:
        super().__init__(
            f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
            facts=[f"got {size} bytes"],
            hint="put the data into S3 and its key into the event",
        )


class NotJsonError(RefusalError):
    """The event is not JSON."""

    code = "InvalidRequestContentException"
    status = 400

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Could not parse request body into json: {why}",
            hint="pass an event that is JSON, such as one of the function's `events/*.json`",
        )


class NotRunnableError(RefusalError):
    """The function is none that this machine can run."""

    code = "InvalidRuntimeException"
    status = 400
