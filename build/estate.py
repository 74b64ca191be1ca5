"""An env's stacks, planned and applied side by side, each against its own state."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from build.digest import Digest
from build.errors import SlipwayError, ToolError
from build.infra.backend import backend_settings, state_bucket, state_key
from build.infra.terraform import TerraformAdapter, outputs_of
from build.model import Workspace
from build.release.aws import Aws
from build.release.handoff import Handoff, handoff_of, part_of, write_handoff
from build.release.rows import Release
from build.release.stacks import Applied, Stacks, refuse_moves, split
from build.report import Reporter
from build.results import Outputs, Plan, PublishedArtifact
from build.rules.values import OWN_STACK as OWN

AT_ONCE = min(4, os.cpu_count() or 1)
"""Stacks at work at the same time: a plan keeps a core busy, and Terraform and the provider take 0.5 to 1 GB."""

_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stack, with everything that decides its plan."""

    name: str
    """Empty for the env's own."""
    functions: tuple[str, ...]
    """Names of those in it; none, when all of it is to go."""
    inputs: str
    """Digest of the hand-off and of everything else that decides a plan."""
    state: str
    """ETag of its state; empty if it has none yet."""
    applied: Applied | None

    @property
    def is_settled(self) -> bool:
        """True when the last apply was of the same inputs, and nobody has written the state since."""
        last = self.applied
        return last is not None and bool(self.state) and (last.inputs, last.state) == (self.inputs, self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """The way to an env's stacks."""

    workspace: Workspace
    aws: Aws
    show: Reporter

    def stacks(self, published: Sequence[PublishedArtifact], *, destroy: bool = False) -> tuple[Stack, ...]:
        """Return every stack that there is or that something was applied to; their hand-offs are written."""
        nothing = replace(self.workspace, functions=(), layers=())
        parts: Mapping[str, Workspace] = {"": nothing} if destroy else split(self.workspace)
        return self._stacks(lambda name: handoff_of(parts.get(name, nothing), published, stack=name or None), parts)

    def recorded(self, release: Release) -> tuple[Stack, ...]:
        """Return the stacks as ``release`` has them, and empty ones for those that came since; nothing is built."""
        held: dict[str, set[str]] = {"": set()}
        for name in release.handoff["functions"]:
            held.setdefault(release.stacks.get(name, ""), set()).add(name)
        return self._stacks(lambda stack: part_of(release.handoff, stack, held.get(stack, ())), held)

    def plan(self, stacks: Sequence[Stack], *, lock: bool, destroy: bool = False) -> tuple[Plan, ...]:
        """Plan ``stacks`` against what is there, several at once."""
        terraforms = {stack.name: self._terraform(stack.name, len(stacks) > 1) for stack in stacks}
        for terraform in terraforms.values():
            terraform.init()  # one after the other: they may fetch the same provider

        def planned(stack: Stack) -> Plan:
            made = terraforms[stack.name].plan(self._handoff_path(stack.name), lock=lock, destroy=destroy)
            return replace(made, inputs=stack.inputs, state=stack.state)

        return _side_by_side(planned, stacks)

    def drift(self, handoff: Mapping[str, Any]) -> tuple[Plan, ...]:
        """Say what changed outside Terraform since ``handoff``, which is a whole env's, was applied; plan nothing."""
        held = {name: each.functions for name, each in self._records.applied().items()}
        held = held or {"": tuple(handoff["functions"])}  # deployed before there were records

        def looked(stack: str) -> Plan:
            path = self._handoff_path(stack).with_name("drift.tfvars.json")
            write_handoff(part_of(handoff, stack, held[stack]), path)
            terraform = self._terraform(stack, len(held) > 1)
            # Not with -refresh-only: such a plan does not tell what is ours, and so not what is foreign.
            made = terraform.plan(path, lock=False)
            return made if made.document else terraform.saved(made.path)  # an empty plan, too, tells of drift

        for stack in sorted(held):
            self._terraform(stack, False).init()
        return _side_by_side(looked, sorted(held))

    def restored(self, stack: Stack, plan_file: bytes | None) -> Plan:
        """Return a plan of ``stack`` that was saved elsewhere; one without a file changes nothing."""
        path = self._handoff_path(stack.name).with_name("plan.tfplan")
        if plan_file is None:
            return Plan(path=path, changes=(), stack=stack.name)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(plan_file)
        return self._terraform(stack.name, False).saved(path)

    def apply(self, stacks: Sequence[Stack], plans: Iterable[Plan]) -> Outputs:
        """Apply ``plans`` and nothing else; return what all ``stacks`` give out, the settled ones, too."""
        planned = {plan.stack: plan for plan in plans}

        def applied(stack: Stack) -> Outputs:
            plan = planned.get(stack.name)
            if plan is None and stack.applied:
                return outputs_of(stack.applied.outputs)
            terraform = self._terraform(stack.name, len(planned) > 1)
            if plan and not plan.is_empty:
                self._record(stack, terraform, done=False)
                terraform.apply(plan)
                if plan.replaces_functions:
                    self._attach_again(stack, terraform)
            return outputs_of(self._record(stack, terraform, done=True))

        return _together(_side_by_side(applied, stacks))

    def commands(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """Return the bare terraform commands, from the repository's root, that plan and apply ``stacks`` as we do."""
        return tuple(line for stack in stacks for line in self._terraform(stack, False).commands())

    def forget(self, stacks: Iterable[Stack]) -> None:
        """Remove the records of stacks that were destroyed."""
        for stack in stacks:
            self._records.forget(stack.name)

    def _attach_again(self, stack: Stack, terraform: TerraformAdapter) -> None:
        """Make anew what Lambda removed with a function that was replaced: alias, permissions, URL, and their like.

        Terraform learns that they are gone only by looking again. Raises ToolError if there is more to it.
        """
        self.show.say("a function was made anew: looking for what went with the old one")
        again = terraform.plan(self._handoff_path(stack.name), lock=True)
        others = [f"{' and '.join(each.actions)} {each.address}" for each in again.changes if each.deletes]
        if others:
            raise ToolError(
                "a function was made anew, and what belongs to it is not there yet",
                facts=others,
                hint=f"review the rest with `invoke plan --env {self.workspace.env.name}`, then deploy again",
            )
        if not again.is_empty:
            terraform.apply(again)

    def _record(self, stack: Stack, terraform: TerraformAdapter, *, done: bool) -> Mapping[str, object]:
        outputs = terraform.values() if done else {}
        still_there = set(stack.applied.functions) if stack.applied and not done else set()
        # Before the apply, too: one that dies half-way must not pass for what was applied before it.
        record = Applied(
            stack=stack.name,
            inputs=stack.inputs,
            functions=tuple(sorted({*stack.functions} | still_there)),
            outputs=outputs,
            state=self._records.state_of(self._state_key(stack.name)) if done else "",
        )
        if record != stack.applied:
            self._records.record(record)
        return outputs

    def _stacks(self, handoff: Callable[[str], Handoff], wanted: Iterable[str]) -> tuple[Stack, ...]:
        """Return the stacks that are ``wanted`` or that something was applied to; ``handoff`` gives that of each."""
        applied = self._records.applied()
        handoffs = {name: handoff(name) for name in sorted({*wanted, *applied})}
        refuse_moves({name: tuple(each["functions"]) for name, each in handoffs.items()}, applied)
        return tuple(self._stack(name, each, applied.get(name)) for name, each in handoffs.items())

    def _stack(self, name: str, handoff: Handoff, applied: Applied | None) -> Stack:
        digest = write_handoff(handoff, self._handoff_path(name))
        sources = self._terraform(name, False).sources()
        return Stack(
            name=name,
            functions=tuple(sorted(handoff["functions"])),
            inputs=str(Digest.of_bytes(f"{digest} {sources}".encode())),
            state=self._records.state_of(self._state_key(name)),
            applied=applied,
        )

    @property
    def _records(self) -> Stacks:
        env = self.workspace.env
        return Stacks(
            s3=self.aws.client("s3"),
            bucket=env.artifact_bucket,
            state_bucket=state_bucket(self.workspace.root, env.name),
            owner=env.account_id,
        )

    def _state_key(self, stack: str) -> str:
        path = self.workspace.root / "terraform" / "envs" / f"{self.workspace.env.name}.s3.tfbackend"
        return state_key(backend_settings(path)["key"], stack)

    def _handoff_path(self, stack: str) -> Path:
        folder = self.workspace.env_folder
        return (folder / "stacks" / stack if stack else folder) / "handoff.tfvars.json"

    def _terraform(self, stack: str, several: bool) -> TerraformAdapter:
        def said(text: str) -> None:
            self.show.say(f"{stack or OWN}: {text}" if several else text)

        env = self.workspace.env
        return TerraformAdapter(self.workspace.root, env.name, environ=self.aws.environ, on_progress=said, stack=stack)


def _side_by_side(work: Callable[[_T], _R], items: Sequence[_T]) -> tuple[_R, ...]:
    """Do ``work`` on every item, several at once, and each to its end; raise what went wrong, if anything did."""
    if len(items) == 1:
        return (work(items[0]),)  # in this thread: an interruption reaches it
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(work, item) for item in items]
    failed = [reason for each in running if (reason := each.exception()) is not None]
    known = [reason for reason in failed if isinstance(reason, SlipwayError)]
    if len(known) > 1 and len(known) == len(failed):
        raise ToolError(
            f"{len(known)} stacks failed; the others are done",
            facts=[line for reason in known for line in (reason.summary, *(f"  {fact}" for fact in reason.facts))],
            hint=known[0].hint,
        )
    if failed:
        raise failed[0]
    return tuple(each.result() for each in running)


def _together(parts: Iterable[Outputs]) -> Outputs:
    every = list(parts)
    return Outputs(
        functions={name: function for part in every for name, function in part.functions.items()},
        layers={key: arn for part in every for key, arn in part.layers.items()},
        http_api_urls=tuple(url for part in every for url in part.http_api_urls),
        alarms={name: alarms for part in every for name, alarms in part.alarms.items()},
        deployment_groups={name: group for part in every for name, group in part.deployment_groups.items()},
    )
