"""Shift callers to new versions step by step; if one of these goes wrong meanwhile, give them all the old ones back.

What the aliases say is all there is to a shift: a process that dies leaves them as they are, and the next deploy of the
same code begins again.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import AwsError, SlipwayError
from build.release.aliases import point, weights_of
from build.release.aws import asking
from build.release.codedeploy import CodeDeploy, Deployment
from build.release.schedule import ALIAS, EVERYBODY, Level, Move, levels_of, steps_of
from build.release.smoke import Asker
from build.release.watching import Clock, Watch, WentWrong, watches_of

__all__ = ["ALIAS", "Shift", "weights_of"]

_LOOK_S = 10.0
"""Between looks at what CloudWatch says, which itself looks at minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The way to move aliases."""

    env: str
    functions: Any
    """Client of Lambda."""
    invoker: Callable[[], Any]
    """Gives a client of Lambda that asks once and waits long, where there is something to ask."""
    cloudwatch: Callable[[], Any]
    """Gives a client of CloudWatch, where there is something to watch."""
    codedeploy: Callable[[], Any]
    """Gives a client of CodeDeploy, where it is to shift."""
    on_progress: Callable[[str], None]
    clock: Clock = time
    check: Callable[[], None] = lambda: None
    """Raises if somebody else has taken the env over; asked before every move."""

    def run(self, moves: Sequence[Move]) -> None:
        """Bring everybody to the new versions, level by level; raise WentWrong if that was undone.

        A level's new versions answer their smoke events before anybody comes, and again once everybody has. Alarms and
        errors of all that moves are watched until the last level is over. Whatever else ends it (Ctrl-C, AWS) undoes
        it, too.
        """
        watches = watches_of(moves, self.cloudwatch, clock=self.clock, say=self.on_progress)
        begun: dict[str, Move] = {}
        try:
            for level in levels_of(moves):
                self._run(level, watches, begun)
        except BaseException as reason:
            self._undo(reversed(begun.values()), reason)
            if isinstance(reason, WentWrong):
                reason.moved = tuple(begun.values())
            raise

    def _run(self, level: Level, watches: Sequence[Watch], begun: dict[str, Move]) -> None:
        smoke = Asker(invoker=self.invoker, clock=self.clock, say=self.on_progress)
        smoke.versions(level.moves)
        revisions = {move.name: move.revision for move in level.moves}
        began = self.clock.monotonic()
        handed = [self._hand_over(move, begun) for move in level.handed]
        for moment in level.moments:
            self._watch((*watches, *handed), began + moment.at_s)
            for move, percent in moment.shares:
                begun[move.name] = move  # before it is asked for: the answer may be lost, or cut off by Ctrl-C
                revisions[move.name] = self._move(move, percent, revisions[move.name])
            smoke.aliases(moment.complete)
        self._watch((*watches, *handed), began + level.end_s)
        self._wait(handed, watches)
        smoke.aliases(level.handed)
        for each in handed:
            self._watch(watches, (each.ended_at or began) + 60.0 * each.move.shifting.watch_minutes)

    def _hand_over(self, move: Move, begun: dict[str, Move]) -> Deployment:
        self.check()
        running = self._codedeploy.running(move)
        begun[move.name] = move
        return running or self._codedeploy.begin(move)

    def _wait(self, handed: Sequence[Deployment], watches: Sequence[Watch]) -> None:
        """Wait until CodeDeploy has brought everybody."""
        for each in handed:
            each.look()
        while any(each.ended_at is None for each in handed):
            self.clock.sleep(_LOOK_S)
            for watch in (*watches, *handed):
                watch.look()

    def _watch(self, watches: Sequence[Watch], until: float) -> None:
        """Wait for ``until``; raise WentWrong as soon as one of ``watches`` does."""
        what = " and ".join(each.title for each in watches) or "nothing"
        said = ""
        while (left := until - self.clock.monotonic()) > 0:
            minutes = f"watching {what} for {math.ceil(left / 60)} min more"
            if minutes != said:
                self.on_progress(said := minutes)
            self.clock.sleep(min(left, _LOOK_S))
            for each in watches:
                each.look()

    @property
    def _codedeploy(self) -> CodeDeploy:
        return CodeDeploy(client=self.codedeploy(), clock=self.clock, say=self.on_progress)

    def _move(self, move: Move, percent: int, revision: str) -> str:
        self.check()
        whom = "everybody" if percent == EVERYBODY else f"{percent} % of callers"
        self.on_progress(f"{move.title}: {whom} from version {move.before} to {move.after}")
        with asking(f"moving {move.title}", hint="run the same deploy again: it goes on from here"):
            return self._point(move, *_at(move, percent), revision)

    def _point(self, move: Move, version: str, weights: dict[str, float], revision: str) -> str:
        return point(self.functions, move.function.function_name, version, weights, revision)

    def _undo(self, begun: Iterable[Move], reason: BaseException) -> None:
        """Give everybody the old versions, where an alias is as we left it; raise AwsError with all that are not."""
        stuck: list[str] = []
        for move in begun:
            self.on_progress(f"{move.title}: everybody back to version {move.before}")
            try:
                if move.group:
                    self._codedeploy.stop(move)
                with asking(f"moving {move.title} back", hint="run it again"):
                    alias = self.functions.get_alias(FunctionName=move.function.function_name, Name=ALIAS)
                    now = alias["FunctionVersion"], weights_of(alias)
                    if _is_ours(move, *now):
                        self._point(move, move.before, {}, alias["RevisionId"])
                    elif now != (move.before, {}):
                        stuck.append(f"{move.title}: somebody else moved it to version {now[0]}")
            except SlipwayError as refusal:
                stuck += [f"{move.title}: expected version {move.before}", *(f"  {fact}" for fact in refusal.facts)]
        if stuck:
            why = [f"it was undone because {reason.why}", *reason.facts] if isinstance(reason, WentWrong) else []
            raise AwsError(
                "the roll-out was undone but for what AWS refused",
                facts=[*stuck, *why],
                hint=f"see where they are with `invoke status --env {self.env}`, "
                f"then go back with `invoke rollback --env {self.env}`",
            )


def _is_ours(move: Move, version: str, weights: Mapping[str, float]) -> bool:
    """Tell whether an alias is where a step of ``move`` leaves it; the size of CodeDeploy's steps is its own."""
    if move.group and version == move.before:
        return weights.keys() == {move.after}
    return (version, weights) in [_at(move, step.percent) for step in steps_of(move.shifting)]


def _at(move: Move, percent: int) -> tuple[str, dict[str, float]]:
    """Return the version that an alias names, and the weights of others, where ``percent`` have the new version."""
    if percent == EVERYBODY:
        return move.after, {}
    return move.before, {move.after: percent / EVERYBODY}
