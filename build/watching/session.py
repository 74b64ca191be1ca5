"""A session of the dev loop: from what was saved to functions that run it."""

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from build import report
from build.errors import InputError, SlipwayError
from build.imaging import buildable
from build.local.deployment import Initialised
from build.local.overlays import Swapped
from build.making import build
from build.model import Built, FunctionSpec, Workspace
from build.project.discovery import discover, part_of
from build.watching.changes import Paths, Places, places, saved_at, saves, touched, undeployed
from build.watching.words import Times, not_swapped, swapped

_TRIES = 3
"""Of a build, while files come and go under it."""
_SILENT_S = 1.0
"""Then a build says what it is doing: it fetches something."""


class Target(Protocol):
    """Where what is watched runs."""

    def require(self) -> None:
        """Raise InputError unless it is there."""
        ...

    def swap(self, built: Built, show: report.Reporter) -> Iterator[tuple[FunctionSpec, Swapped]]:
        """Let what was built run; yield what became of every function."""
        ...

    def warm(self, workspace: Workspace, spec: FunctionSpec) -> Initialised | None:
        """Start what was swapped in; None where that cannot be asked for."""
        ...

    def last_event(self, workspace: Workspace, spec: FunctionSpec) -> bytes | None:
        """Return what the function was invoked with last; None if it was not, or nobody knows."""
        ...

    def invoker(self, workspace: Workspace) -> Any:
        """Return a client that invokes functions."""
        ...

    def close(self) -> None:
        """Leave things as they are."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """A function that runs something else from now on."""

    workspace: Workspace
    spec: FunctionSpec
    outcome: Swapped
    times: Times


class Session:
    """Watches one repository. What fails is told, and what ran before goes on: only Ctrl-C and our own bugs end it."""

    def __init__(
        self,
        root: Path,
        env: str,
        target: Target,
        *,
        only: str = "",
        say: Callable[[str], None],
        after: Callable[[Change], None] | None = None,
    ) -> None:
        """``only`` is the function to watch, or empty for all; ``after`` is called for each that is up again."""
        self._root, self._env, self._only = root, env, only
        self._target, self._say, self._after = target, say, after
        self._known = discover(root, env)
        self._places = places(self._known)
        self._show = Hushed(say)
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._newest: dict[str, Change] = {}
        self._stop = threading.Event()
        self._bug: BaseException | None = None

    def run(self) -> None:
        """Watch until Ctrl-C. Raises InputError if there is nothing that could be swapped."""
        threading.Thread(target=self._follow_up, name="follow-up", daemon=True).start()
        self._target.require()
        greeted = False
        try:
            for changed in saves(self._now, self._stop):
                outcomes: set[Swapped] = set()
                try:
                    outcomes.update(self._round(changed))
                except SlipwayError as reason:
                    self._say(str(reason))
                if not greeted:
                    self._greet(outcomes)
                    greeted = True
        finally:
            self._target.close()
        if self._bug:
            raise self._bug

    def _greet(self, outcomes: Set[Swapped]) -> None:
        if outcomes == {Swapped.MISSING}:
            raise InputError(f"nothing is deployed to {self._env}", hint=self._deploy)
        self._say(f"watching {self._only or 'functions/ and layers/'} until Ctrl-C")

    @property
    def _deploy(self) -> str:
        return f"run `invoke deploy --env {self._env}`"

    def _now(self) -> Places:
        with suppress(SlipwayError, OSError):  # half-saved: what was watched still is
            self._places = places(self._known)
        return self._places

    def _round(self, changed: Paths) -> Iterator[Swapped]:
        """Take what was ``changed``, or all, to where it runs; yield what became of every function."""
        known, self._known = self._known, discover(self._root, self._env)
        for what in undeployed(known, self._known, changed):
            self._say(f"{what}: {self._deploy}")
        there = {spec.name for spec in self._known.functions}
        names = there & {*touched(self._known, self._places, changed)} if changed else there
        wanted = names & {self._only} if self._only else names
        for built, ms in self._built(wanted):
            yield from self._swapped(built, ms, changed)

    def _built(self, names: Collection[str]) -> Iterator[tuple[Built, float]]:
        """Yield what is built of ``names``, with the ms that it took; where that fails, of each of them alone."""
        workspace = buildable(part_of(self._known, names), self._show)
        if workspace.is_empty:
            return
        try:
            yield self._build(workspace)
            return
        except SlipwayError:
            if len(workspace.functions) == 1:
                raise
        told = set()
        for spec in workspace.functions:
            try:
                yield self._build(part_of(workspace, [spec.name]))
            except SlipwayError as reason:
                told.add(str(reason))
        for text in sorted(told):
            self._say(text)

    def _build(self, workspace: Workspace) -> tuple[Built, float]:
        began = time.monotonic()
        self._show.begin()
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):  # an editor had it for a moment
                return build(workspace, self._show, narrowed=True), (time.monotonic() - began) * 1000
        return build(workspace, self._show, narrowed=True), (time.monotonic() - began) * 1000

    def _swapped(self, built: Built, built_ms: float, changed: Paths) -> Iterator[Swapped]:
        began, saved = time.monotonic(), saved_at(changed)
        for spec, outcome in self._target.swap(built, self._show):
            now = time.monotonic()
            times = Times(saved_at=saved, built_ms=built_ms, swapped_ms=(now - began) * 1000)
            began = now
            if outcome in {Swapped.SWAPPED, Swapped.DEPLOYED}:
                change = self._newest[spec.name] = Change(built.workspace, spec, outcome, times)
                self._changes.put(change)
            elif text := not_swapped(spec.identity, outcome, self._deploy):
                self._say(text)
            yield outcome

    def _follow_up(self) -> None:
        """Start what was swapped in, one after the other, and tell of it; not of what was saved again meanwhile."""
        try:
            while True:
                change = self._changes.get()
                try:
                    self._start(change)
                except SlipwayError as reason:
                    self._say(str(reason))
        except BaseException as bug:  # it is raised where somebody sees it
            self._bug = bug
            self._stop.set()

    def _start(self, change: Change) -> None:
        spec = change.spec
        if self._newest[spec.name] is not change:
            return
        started = self._target.warm(change.workspace, spec)
        if self._newest[spec.name] is change:
            self._say(swapped(spec.identity, change.outcome, change.times, started, now=time.time()))
            if self._after and not (started and started.error):
                self._after(change)


class Hushed(report.Reporter):
    """Tells of a build only what is new: warnings once, and what it does only where that takes its time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = say
        self._told: set[str] = set()
        self._began = time.monotonic()

    def begin(self) -> None:
        """Take note that a build begins."""
        self._began = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Say nothing of a stage."""
        self._stage = name
        yield

    def say(self, text: str) -> None:
        """Say what it is doing, if that takes long."""
        if time.monotonic() - self._began > _SILENT_S:
            self._tell(f"  {self._stage}: {text}")

    def note(self, text: str) -> None:
        """Say ``text``, unless that was said before."""
        if text not in self._told:
            self._told.add(text)
            self._tell(text)
