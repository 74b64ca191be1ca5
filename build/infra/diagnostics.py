"""What Terraform says while it runs (its ``-json`` stream), as progress for people and as one error."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import AwsError, FindingsError, SlipwayError, ToolError
from build.process import SHOWN_LINES, Completed

_ROLLED_OUT = "aws_lambda_alias"
"""Every roll-out and rollback moves aliases behind Terraform's back, so a refresh always finds them elsewhere."""

_MOST_ERRORS = 20
_DETAIL_LINES = 6
_DOING = {"create": ("creating", "created"), "update": ("updating", "updated"), "delete": ("destroying", "destroyed")}


class LockedError(ToolError):
    """The state is locked by ``who``, as user@machine; ``lock`` is what frees it."""

    who = ""
    lock = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One error Terraform reported."""

    summary: str
    detail: str
    address: str | None
    place: str | None
    """``terraform/main.tf:39``."""

    @property
    def lines(self) -> list[str]:
        """The error for people: what and where first, then the first lines of the detail."""
        where = ", ".join(part for part in (self.address, self.place) if part)
        first, *more = [line.rstrip() for line in f"{self.summary}\n{self.detail}".splitlines() if line.strip()]
        shown = [f"  {line}" for line in more[:_DETAIL_LINES]]
        return [f"{first} ({where})" if where else first, *shown]


class Listener:
    """Takes the stream line by line: passes progress on, keeps errors."""

    def __init__(self, on_progress: Callable[[str], None]) -> None:
        self._on_progress = on_progress
        self.errors: list[Diagnostic] = []
        self.changes = False
        """Whether a resource or an output would change, or has outside Terraform, once a plan has been made."""

    def __call__(self, line: str) -> None:
        """Take one line; what is not JSON is Terraform crashing, and ends up in the log only."""
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event.get("type") == "diagnostic" and event["diagnostic"]["severity"] == "error":
            self.errors.append(_diagnostic(event["diagnostic"]))
        elif event.get("type") == "planned_change":
            self.changes = True
        elif event.get("type") == "resource_drift":
            self.changes |= event["change"]["resource"]["resource_type"] != _ROLLED_OUT
        elif event.get("type") == "outputs":
            self.changes |= any(o.get("action", "noop") != "noop" for o in event["outputs"].values())
        if text := progress(event):
            self._on_progress(text)


def progress(event: dict[str, Any]) -> str | None:
    """Say ``event`` of the stream in a short line, or None when it is not worth one."""
    kind = event.get("type")
    if kind == "change_summary":
        return str(event["@message"])
    if kind == "diagnostic" and event["diagnostic"]["severity"] == "warning":
        return f"warning: {'; '.join(line.strip() for line in _diagnostic(event['diagnostic']).lines[:2])}"
    if kind == "state_lock_acquire":  # said when it takes longer than a moment
        return "waiting for another terraform, which holds the lock of the state"
    if kind == "log" and "Interrupt received" in event["@message"]:
        return "interrupted: Terraform stops what it does, writes its state and frees the lock"
    hook = event.get("hook", {})
    address, action = hook.get("resource", {}).get("addr", ""), hook.get("action", "")
    if action not in _DOING:
        return None
    doing, done = _DOING[action]
    seconds = f"{hook.get('elapsed_seconds', 0):.0f} s"
    said = {
        "apply_start": doing,
        "apply_progress": f"still {doing} after {seconds}",
        "apply_complete": f"{done} in {seconds}",
        "apply_errored": "failed",
    }
    return f"{address}: {said[kind]}" if kind in said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """A failure we know the remedy of. ``{env}`` and ``{again}`` are filled in."""

    pattern: re.Pattern[str]
    error: type[SlipwayError]
    summary: str
    hint: str


_CAUSES = tuple(
    _Cause(pattern=re.compile(pattern), error=error, summary=summary, hint=hint)
    for pattern, error, summary, hint in [
        (
            r"does not hold the bytes that were built",
            FindingsError,
            "published artifacts of {env} are not the bytes that were built",
            "delete those objects and publish them again: `invoke deploy --env {env}`",
        ),
        (
            r"AWS account ID not allowed",
            AwsError,
            "these credentials belong to another AWS account than {env}",
            "log in to the account that slipway.toml gives for {env}, then run `{again}`",
        ),
        (
            r"No valid credential sources|refresh cached credentials|ExpiredToken|ClientToken|UnrecognizedClient",
            AwsError,
            "no valid AWS credentials for {env}",
            "log in, check with `aws sts get-caller-identity`, then run `{again}`",
        ),
        (
            r"dial tcp|no such host|connection refused|request send failed",
            AwsError,
            "AWS cannot be reached for {env}",
            "check the network and AWS_ENDPOINT_URL, then run `{again}`",
        ),
        (
            r"operation error|https response error|api error|couldn't find resource",
            AwsError,
            "AWS refused a request for {env}",
            "grant or correct what AWS names above, then run `{again}`",
        ),
        (
            r"[Ss]aved plan is stale|plan file (was|is) ",
            ToolError,
            "the plan of {env} can no longer be applied",
            "make a new one with `invoke plan --env {env}`",
        ),
    ]
)
_BUCKET = re.compile(r'S3 bucket "([^"\s]+)" does not exist|NoSuchBucket')
_THERE_ALREADY = re.compile(
    r"EntityAlreadyExists|ResourceAlreadyExists|Function already exist|QueueAlreadyExists|QueueNameExists"
    r"|BucketAlreadyOwnedByYou|RepositoryAlreadyExists|TopicAlreadyExists"
)
_PROVIDER = re.compile(
    r"provider packages|Failed to install provider|required_provider|Required plugins are not installed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of Terraform, as far as an error has to speak of it."""

    command: str
    env: str
    log: Path
    providers: str
    """Where providers come from, for people."""
    state: Mapping[str, str]
    """Settings of the backend: bucket, key, region."""
    unlock: str
    """The shell command that frees the state, but for the ID of the lock."""
    adopt: str
    """The shell command that takes into the state what is there already, but for an address and an id."""
    verb: str | None = None
    """The verb that ran it, where that is neither plan nor deploy."""

    @property
    def again(self) -> str:
        """The verb to run once the cause is gone."""
        return f"invoke {self.verb or ('deploy' if self.command == 'apply' else 'plan')} --env {self.env}"

    def failure(self, errors: list[Diagnostic], completed: Completed) -> SlipwayError:
        """Make one error of everything Terraform reported.

        AwsError when AWS refused or was never reached, FindingsError when bytes are not what was
        built, ToolError for the rest.
        """
        facts = [line for error in errors[:_MOST_ERRORS] for line in error.lines]
        if len(errors) > _MOST_ERRORS:
            facts.append(f"and {len(errors) - _MOST_ERRORS} more errors")
        if not errors:
            facts = (completed.stderr.strip() or completed.stdout.strip()).splitlines()[-SHOWN_LINES:]
        facts.append(f"log: {self.log}")
        text = "\n".join(f"{error.summary}\n{error.detail}" for error in errors)
        if "Error acquiring the state lock" in text and "Lock Info" in text:
            return self._locked(text)
        if _THERE_ALREADY.search(text):
            return self._unknown(facts)
        if missing := _BUCKET.search(text):
            return self._without_bucket(missing[1] or self.state.get("bucket", "for its state"), facts)
        if _PROVIDER.search(text):
            msg = "Terraform cannot get the AWS provider"
            hint = (
                "give SLIPWAY_PROVIDER_MIRROR a folder that holds registry.terraform.io/hashicorp/aws"
                ", as `terraform providers mirror` makes it, then run `invoke doctor`"
            )
            return ToolError(msg, facts=[f"looked in: {self.providers}", *facts], hint=hint)
        for cause in _CAUSES:
            if cause.pattern.search(text):
                summary, hint = (said.format(env=self.env, again=self.again) for said in (cause.summary, cause.hint))
                return cause.error(summary, facts=facts, hint=hint)
        msg = f"terraform {self.command} failed for {self.env}: exit code {completed.code}"
        return ToolError(msg, facts=facts, hint=f"correct what Terraform names above, then run `{self.again}`")

    def _locked(self, text: str) -> LockedError:
        info = {
            key: value.strip() for key, value in re.findall(r"^\s*(ID|Who|Created|Operation):(.*)$", text, re.MULTILINE)
        }
        who, since = info.get("Who", "somebody"), info.get("Created", "")[:19]
        doing = info.get("Operation", "").removeprefix("OperationType").lower() or "run"
        # The embedded cloud forgets all it holds, this lock, too.
        free = "invoke local.stop --discard" if self.env == "local" else f"{self.unlock} {info.get('ID', '')}"
        hint = (
            f"wait for its end, then run `{self.again}`; only if no terraform works on it any more, free it: `{free}`"
        )
        refused = LockedError(
            f"the state of {self.env} is locked by {who}",
            facts=[
                f"since: {since} UTC",
                f"doing: {doing}, which goes on to its end even where the run that began it was killed",
                f"log: {self.log}",
            ],
            hint=hint,
        )
        refused.who, refused.lock = who, info.get("ID", "")
        return refused

    def _unknown(self, facts: list[str]) -> AwsError:
        # The embedded cloud forgets all it holds; an account does not.
        adopt = (
            "`invoke local.stop --discard` forgets them all" if self.env == "local" else f"`{self.adopt} ADDRESS ID`"
        )
        return AwsError(
            f"{self.env} has things that Terraform's state does not know",
            facts=[*facts, "made by an apply that was cut off before it could write its state, or by somebody else"],
            hint=f"take each into the state, or remove it, as it is named above: {adopt}; then run `{self.again}`",
        )

    def _without_bucket(self, bucket: str, facts: list[str]) -> AwsError:
        return AwsError(
            f"{self.env} has no bucket {bucket}",
            facts=facts,
            hint=f"let an administrator run `invoke bootstrap --env {self.env}`, then run `{self.again}`",
        )


def _diagnostic(raw: dict[str, Any]) -> Diagnostic:
    span = raw.get("range")
    return Diagnostic(
        summary=raw.get("summary", ""),
        detail=raw.get("detail", ""),
        address=raw.get("address"),
        place=f"terraform/{span['filename']}:{span['start']['line']}" if span else None,
    )
