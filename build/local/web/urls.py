"""Function URLs: what answers for them.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

import uuid
from typing import Any
from urllib.parse import urlsplit

from build.local.refusals import MAX_REQUEST_BYTES
from build.local.web.answers import HttpAnswer, answer_v2, message
from build.local.web.authorizers import secret_keys, signed_by
from build.local.web.callers import Callers, Failure
from build.local.web.cors import PREFIX, Cors
from build.local.web.events import Grant, Place, event_v2
from build.local.web.requests import HttpRequest
from build.local.web.signatures import is_signed, signer_of

LIMIT_S = 900.0
"""A URL waits as long as a function may run."""
NOT_FOUND = message(404, "Not Found", key="Message")
FORBIDDEN = message(403, "Forbidden", key="Message")
MISMATCH = message(403, "The request signature we calculated does not match the signature you provided.", key="Message")
_TOO_LARGE = message(413, "Request Entity Too Large", key="Message")
_ERROR = HttpAnswer(502, (("Content-Type", "text/plain"),), b"Internal Server Error")
_FAILURES = {
    Failure.SLOW: _ERROR,
    Failure.THROTTLED: message(429, "Rate Exceeded.", key="Message"),
    Failure.TOO_LARGE: _TOO_LARGE,
    Failure.FAILED: _ERROR,
    Failure.MISSING: _ERROR,
}


def arn_of(config: Any) -> str:
    """Return the ARN of what moto's URL ``config`` calls: a function, or its alias."""
    arn = str(config.function.function_arn)
    qualifier = config.config.get("Qualifier")
    return f"{arn}:{qualifier}" if qualifier else arn


class Urls:
    """Answers for all function URLs, each looked up anew for every request."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def answer(self, config: Any, request: HttpRequest) -> HttpAnswer:
        """Answer ``request`` to moto's URL ``config``; to one that is gone, None, with 404."""
        request_id = str(uuid.uuid4())
        if config is None:
            return NOT_FOUND.having([("x-amzn-RequestId", request_id)])
        cors = Cors.of(config.config.get("Cors"))
        if cors and request.method == "OPTIONS":  # never the function's business, nor does it need a signature
            return HttpAnswer(200, (*cors.preflight(request), ("x-amzn-RequestId", request_id)))
        answered = self._answered(config, request, request_id)
        if cors:
            answered = answered.having(cors.response(request), without=PREFIX)
        trace = request.header("x-amzn-trace-id") or ""
        return answered.having([("x-amzn-RequestId", request_id), ("X-Amzn-Trace-Id", trace)])

    def _answered(self, config: Any, request: HttpRequest, request_id: str) -> HttpAnswer:
        if len(request.body) > MAX_REQUEST_BYTES:
            return _TOO_LARGE
        account_id, grant = str(config.function.account_id), Grant()
        if config.config.get("AuthType") == "AWS_IAM":
            signer = signer_of(request, service="lambda", secrets=secret_keys())
            if signer is None:
                return MISMATCH if is_signed(request) else FORBIDDEN
            grant = signed_by(signer, account_id)
        else:
            account_id = "anonymous"
        domain = urlsplit(config.url).hostname or ""
        place = Place(
            api_id=domain.partition(".")[0],
            domain_name=domain,
            account_id=account_id,
            path=request.path,
            request_id=request_id,
        )
        event = event_v2(request, place, grant)
        answered = self._callers.call(arn_of(config), event, limit_s=LIMIT_S, request_id=request_id)
        if isinstance(answered, Failure):
            return _FAILURES[answered]
        return answer_v2(answered, of_url=True) or _ERROR
