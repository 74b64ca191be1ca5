"""A request as API Gateway, Lambda's function URLs and load balancers see it. Values only."""

import base64
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_plus

HOP_BY_HOP = frozenset(
    ("connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)
"""Headers of one connection, which no gateway passes on (RFC 9110, section 7.6.1)."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request, with the headers that a gateway adds."""

    method: str
    path: str
    """As it was sent, percent-encoded."""
    query: str = ""
    """As it was sent, without the question mark."""
    headers: Pairs = ()
    """Names in lower case, in the order they came."""
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    source_ip: str = "127.0.0.1"
    time_s: float = field(default_factory=time.time)

    def header(self, name: str) -> str | None:
        """Return the header ``name`` (in lower case), several joined by commas; None if it was not sent."""
        found = [value for each, value in self.headers if each == name]
        return ",".join(found) if found else None

    @property
    def values(self) -> dict[str, list[str]]:
        """All values of each header."""
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            found.setdefault(name, []).append(value)
        return found

    @property
    def cookies(self) -> list[str]:
        """Each ``name=value``."""
        sent = (each.split(";") for each in self.values.get("cookie", ()))
        return [cookie.strip() for cookies in sent for cookie in cookies if cookie.strip()]

    @property
    def parameters(self) -> dict[str, list[str]]:
        """All values of each query parameter, decoded."""
        return {unquote_plus(name): list(map(unquote_plus, values)) for name, values in self.raw_parameters.items()}

    @property
    def raw_parameters(self) -> dict[str, list[str]]:
        """All values of each query parameter, as they were sent."""
        found: dict[str, list[str]] = {}
        for part in filter(None, self.query.split("&")):
            name, _, value = part.partition("=")
            found.setdefault(name, []).append(value)
        return found

    @property
    def size_of_head(self) -> int:
        """Bytes of the request line and the headers' values."""
        return len(self.method) + len(self.path) + len(self.query) + sum(len(value) for _, value in self.headers)

    def text(self, textual: Iterable[str]) -> tuple[str, bool]:
        """Return the body for an event, and whether it is in base64.

        It is text if its media type begins with one of ``textual``, it is not compressed, and it is UTF-8.
        """
        media_type = (self.header("content-type") or "").lower()
        if not self.body:
            return "", False
        if media_type.startswith(tuple(textual)) and not self.header("content-encoding"):
            try:
                return self.body.decode(), False
            except UnicodeDecodeError:
                pass
        return base64.b64encode(self.body).decode("ascii"), True


def forwarded(request: HttpRequest, *, port: int) -> HttpRequest:
    """Return ``request`` as the gateway at ``port`` passes it on.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
    """
    ours = ("x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id")
    kept = ((name, value) for name, value in request.headers if name not in HOP_BY_HOP and name not in ours)
    came_from = [*request.values.get("x-forwarded-for", ()), request.source_ip]
    trace = request.header("x-amzn-trace-id") or f"Root=1-{int(request.time_s):08x}-{secrets.token_hex(12)}"
    added = (("x-amzn-trace-id", trace), ("x-forwarded-for", ", ".join(came_from)))
    return replace(request, headers=(*kept, *added, ("x-forwarded-port", str(port)), ("x-forwarded-proto", "http")))
