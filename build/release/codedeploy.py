"""Shifts that AWS CodeDeploy makes in our place: we begin them, look how far they are, and stop them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import AwsError
from build.release.aws import asking
from build.release.schedule import ALIAS, Move
from build.release.watching import Clock, WentWrong
from build.results import DeploymentGroup

_GOES_ON = ("Created", "Queued", "InProgress", "Baking", "Ready")
_FAILED = ("Failed", "Stopped")
_ROLLBACK = "codeDeployRollback"
_LOOK_S = 5.0
_BACK_S = 300.0
"""How long CodeDeploy may take to give everybody the old version again, before we do."""
_HINT = "run the same deploy again: it goes on from here"


@dataclass(slots=True, kw_only=True)
class Deployment:
    """One that was begun. It is a `Watch`."""

    move: Move
    identity: str
    client: Any
    clock: Clock
    say: Callable[[str], None]
    ended_at: float | None = None
    """When everybody had come, by the clock's `monotonic`, as far as we looked."""
    _said: str = ""

    @property
    def title(self) -> str:
        """For people."""
        return f"CodeDeploy's {self.identity}"

    def look(self) -> None:
        """See whether everybody has come; raise WentWrong if nobody is to come any more."""
        if self.ended_at is not None:
            return
        with asking(f"looking at {self.title}", hint=_HINT):
            info = self.client.get_deployment(deploymentId=self.identity)["deploymentInfo"]
        begun = [f"{name} {status}" for name, status, _ in _events(self.client, info)]
        now = begun[-1] if begun else info["status"]
        if now != self._said:
            self.say(f"{self.move.title}: {self.identity}: {now}")
            self._said = now
        if info["status"] in _FAILED:
            raise self._went_wrong(info)
        if info["status"] == "Succeeded":
            self.ended_at = self.clock.monotonic()

    def _went_wrong(self, info: Mapping[str, Any]) -> WentWrong:
        error = info.get("errorInformation") or {}
        told = [f"{error.get('code', 'no code')}: {error.get('message', 'no message')}"]
        told += [f"{name} {status}: {message}" for name, status, message in _events(self.client, info) if message]
        facts = [f"{self.move.title}: {self.identity} {info['status']}: {line}" for line in told]
        return WentWrong("CodeDeploy did not bring everybody to the new version", facts, function=self.move.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDeploy:
    """The way to let it shift. Nothing is kept here: what goes on is what CodeDeploy says."""

    client: Any
    clock: Clock
    say: Callable[[str], None]

    def running(self, move: Move) -> Deployment | None:
        """Return what a deploy that was killed has begun of ``move``, if it goes on.

        Raises AwsError where another one goes on: CodeDeploy takes one at a time for a group.
        """
        for info in self._going_on(move):
            if info.get("description") == _description(move):
                return self._deployment(move, info["deploymentId"])
            other, creator = info["deploymentId"], info.get("creator", "user")
            raise AwsError(
                f"{move.title}: CodeDeploy shifts its callers already, and not for this deploy",
                facts=[f"expected no deployment going on, got {other}, by {creator}"],
                hint="wait until it is over, or run `aws deploy stop-deployment --deployment-id "
                f"{other} --auto-rollback-enabled`; then run the same deploy again",
            )
        return None

    def begin(self, move: Move) -> Deployment:
        """Let CodeDeploy begin with ``move``."""
        group = _group(move)
        self.say(f"{move.title}: CodeDeploy takes everybody from version {move.before} to {move.after}")
        with asking(f"handing {move.title} to CodeDeploy", hint=_HINT):
            made = self.client.create_deployment(
                applicationName=group.application,
                deploymentGroupName=group.name,
                description=_description(move),
                revision={"revisionType": "AppSpecContent", "appSpecContent": {"content": app_spec(move)}},
            )
        return self._deployment(move, made["deploymentId"])

    def stop(self, move: Move) -> None:
        """Let CodeDeploy take back what it has begun of ``move``; return when it is done, after 300 s at most."""
        until, asked = self.clock.monotonic() + _BACK_S, set[str]()
        while ours := [info for info in self._going_on(move) if _is_of(move, info)]:
            to_stop = {info["deploymentId"] for info in ours if info.get("creator") != _ROLLBACK} - asked
            for identity in sorted(to_stop):
                self._stop(move, identity)
            asked |= to_stop
            if self.clock.monotonic() >= until:
                return
            self.clock.sleep(_LOOK_S)

    def _stop(self, move: Move, identity: str) -> None:
        with asking(f"stopping CodeDeploy's {identity} of {move.title}", hint=_HINT):
            try:
                self.client.stop_deployment(deploymentId=identity, autoRollbackEnabled=True)
            except self.client.exceptions.DeploymentAlreadyCompletedException:
                return
        self.say(f"{move.title}: {identity} stops")

    def _going_on(self, move: Move) -> Sequence[Mapping[str, Any]]:
        group = _group(move)
        with asking(f"looking at CodeDeploy's {group.name}", hint=_HINT):
            pages = self.client.get_paginator("list_deployments").paginate(
                applicationName=group.application,
                deploymentGroupName=group.name,
                includeOnlyStatuses=list(_GOES_ON),
            )
            found = [identity for page in pages for identity in page["deployments"]]
            # One, and perhaps what takes it back: far from the 25 that may be asked for.
            asked = self.client.batch_get_deployments(deploymentIds=found) if found else {"deploymentsInfo": []}
        infos: Sequence[Mapping[str, Any]] = asked["deploymentsInfo"]
        return infos

    def _deployment(self, move: Move, identity: str) -> Deployment:
        return Deployment(move=move, identity=identity, client=self.client, clock=self.clock, say=self.say)


def app_spec(move: Move) -> str:
    """Return what CodeDeploy is to do, as JSON.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-resources.html
    """
    versions = {"CurrentVersion": move.before, "TargetVersion": move.after}
    properties = {"Name": move.function.function_name, "Alias": ALIAS, **versions}
    return json.dumps(
        {
            "version": 0.0,
            "Resources": [{move.name: {"Type": "AWS::Lambda::Function", "Properties": properties}}],
            "Hooks": [{event: hook} for event, hook in _group(move).hooks.items()],
        }
    )


def _group(move: Move) -> DeploymentGroup:
    assert move.group
    return move.group


def _description(move: Move) -> str:
    """Return what tells our deployments from those of others; up to 100 characters are taken."""
    return f"Slipway: {move.name} from version {move.before} to {move.after}"


def _is_of(move: Move, info: Mapping[str, Any]) -> bool:
    return info.get("description") == _description(move) or info.get("creator") == _ROLLBACK


def _events(client: Any, info: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return name, status and message of each lifecycle event that has begun; nothing before the deployment has."""
    if info["status"] in ("Created", "Queued", "Ready"):
        return []
    identity = info["deploymentId"]
    with asking(f"looking at CodeDeploy's {identity}", hint=_HINT):
        try:
            targets = client.list_deployment_targets(deploymentId=identity)["targetIds"]
        except client.exceptions.DeploymentNotStartedException:
            return []
        asked = {"deploymentId": identity, "targetIds": targets}
        found = client.batch_get_deployment_targets(**asked)["deploymentTargets"] if targets else []
    return [
        (each["lifecycleEventName"], each["status"], each.get("diagnostics", {}).get("message", ""))
        for target in found
        for each in target.get("lambdaTarget", {}).get("lifecycleEvents", ())
        if each["status"] not in ("Pending", "Skipped")
    ]
