"""What of the embedded cloud answers HTTP, and where: asked by those outside of its process."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from build.errors import ToolError
from build.local.cloud import Cloud

_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A route of an HTTP API, a function URL, or a load balancer's rule."""

    kind: str
    """``http-api``, ``function-url`` or ``load-balancer``."""
    name: str
    """Of the API, the function, or the load balancer."""
    aws_url: str
    """What AWS's API says, and with it Terraform."""
    address: str
    """What answers in its place: ``http://127.0.0.1:<port>``."""
    entry: str
    """``POST /orders``, ``$default``, ``URL``, ``rule 10``."""
    url: str
    """The address with the route's path, variables and all."""
    function: str
    """On AWS; empty if none."""

    def to_json(self) -> dict[str, str]:
        """Return what ``--json`` shows."""
        return {"kind": self.kind, "entry": self.entry, "function": self.function, "url": self.url}


def entries(cloud: Cloud) -> tuple[Entry, ...]:
    """Return all that ``cloud`` has by now; it begins to listen where it does not yet.

    Raises ToolError if it does not answer.
    """
    where = urlsplit(cloud.endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_LIMIT_S)
    try:
        connection.request("GET", "/_slipway/entries")
        return tuple(Entry(**each) for each in json.loads(connection.getresponse().read()))
    except (OSError, ValueError, TypeError, http.client.HTTPException) as why:
        raise ToolError(
            "the embedded cloud does not say what answers where",
            facts=[str(why), f"log: {cloud.log}"],
            hint="run `invoke local.stop`, then `invoke deploy`",
        ) from None
    finally:
        connection.close()


def in_place(urls: tuple[str, ...], known: tuple[Entry, ...]) -> list[str]:
    """Return ``urls`` as Terraform gives them, each as the address that answers in its place, if one does."""
    addresses = {entry.aws_url: entry.address for entry in known}
    return [addresses.get(url.rstrip("/"), url) for url in urls]
