"""Whose event a sample is, and the words that samples share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.model import FunctionSpec, Workspace

Event = dict[str, Any]

MESSAGE = '{"message": "hello"}'
"""What is in an event unless somebody says otherwise."""
EXAMPLE = "example"
TIME = "2025-01-01T00:00:00Z"
TIME_MS = 1_735_689_600_000
"""The same. It never moves, so that a sample can be kept in a file and compared."""
ID = "7d2f9c1e-5b0a-4f6e-9a3d-2c8b4e6f1a07"
OTHER_ID = "c4b1a7e2-93d6-4d58-8f0b-6e1d2a5c7b94"
IP = "192.0.2.1"
"""For documentation alone, by RFC 5737."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What of a sample depends on the function and its env."""

    workspace: Workspace
    spec: FunctionSpec | None = None
    """None for a function that nobody named."""
    body: str | None = None
    """What the event is to carry."""

    @property
    def message(self) -> str:
        """What the event carries."""
        return MESSAGE if self.body is None else self.body

    @property
    def function_name(self) -> str:
        """What AWS calls the function."""
        return self.workspace.function_name(self.spec.name if self.spec else EXAMPLE)

    @property
    def region(self) -> str:
        """Where it is."""
        return self.workspace.env.region

    @property
    def account_id(self) -> str:
        """Whose it is."""
        return self.workspace.env.account_id

    def arn(self, service: str, resource: str, *, region: str | None = None, account_id: str | None = None) -> str:
        """Return the ARN of ``resource``, by default in the env's own region and account."""
        where = self.region if region is None else region
        whose = self.account_id if account_id is None else account_id
        return f"arn:{self.workspace.env.partition}:{service}:{where}:{whose}:{resource}"

    def made(self, trigger: Any) -> str:
        """Return the name of what Terraform makes for ``trigger``, or for one that is called example."""
        return f"{self.function_name}-{trigger.name if trigger else EXAMPLE}"

    def existing(self, trigger: Any) -> str:
        """Return the ARN that ``trigger`` names; empty if there is none, or if only terraform/custom/ knows it."""
        arn = self.workspace.filled((trigger and trigger.arn) or "")
        return arn if arn.startswith("arn:") else ""


def object_of(text: str, *, parse_float: Callable[[str], Any] = float) -> Event:
    """Return the JSON object that ``text`` is. Raises InputError for anything else."""
    try:
        found = json.loads(text, parse_float=parse_float)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            "such an event carries a JSON object",
            facts=[f"got {text}"],
            hint="""say it so: --body '{"message": "hello"}'""",
        )
    return found
