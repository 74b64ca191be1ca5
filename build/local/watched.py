"""What watched code has to do with the embedded cloud, asked for from outside of its process."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from build.errors import ToolError
from build.local.cloud import Cloud
from build.local.deployment import Initialised
from build.local.overlays import Code, Swapped

_LIMIT_S = 120.0
"""A layer of 250 MB is unpacked in this time on a slow disk, and initialisation may take a function's whole timeout."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The way to one embedded cloud. Functions are named by their ARN. Any number of threads may use it.

    Every method raises ToolError where the cloud cannot do it, or is gone.
    """

    cloud: Cloud

    def swap(self, function: str, code: Code) -> Swapped:
        """Let ``code`` run in place of what is deployed."""
        return Swapped(self._ask("POST", "/swap", {"function": function, "code": asdict(code)})["outcome"])

    def warm(self, function: str) -> Initialised:
        """Start an environment for the next event."""
        return Initialised(**self._ask("POST", "/warm", {"function": function}))

    def last_event(self, function: str) -> bytes | None:
        """Return what the function was invoked with last; None if it was not."""
        event = self._ask("POST", "/event", {"function": function})["event"]
        return None if event is None else str(event).encode()

    def since(self) -> Mapping[str, str]:
        """Return since when, ISO 8601, watched code runs in place of what is deployed, by the function's ARN."""
        return {str(arn): str(at) for arn, at in self._ask("GET").items()}

    def end(self) -> None:
        """Let what is deployed run everywhere."""
        self._ask("DELETE")

    def _ask(self, method: str, action: str = "", said: object = None) -> Any:
        where = urlsplit(self.cloud.endpoint)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_LIMIT_S)
        try:
            connection.request(method, f"/_slipway/watched{action}", json.dumps(said) if said else None)
            response = connection.getresponse()
            told = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as why:
            raise ToolError(
                "the embedded cloud does not answer",
                facts=[str(why) or type(why).__name__, f"log: {self.cloud.log}"],
                hint="run `invoke local.stop`, then `invoke deploy --env local`",
            ) from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ToolError(told["summary"], facts=told["facts"], hint=told["hint"])
        return told
