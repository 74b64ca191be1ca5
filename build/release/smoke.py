"""Ask new versions their smoke events, and compare what they answer with what is expected."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.model import FunctionSpec
from build.project.smoke_events import ANSWER, EVENT, files_of, problems
from build.release.calls import call
from build.release.schedule import ALIAS, Move, Smoke
from build.release.watching import Clock, WentWrong
from build.results import Answer

_AT_ONCE = 8
_CHARS = 300
"""Of a value that is shown: an answer may be megabytes, and a log is no place for them."""
_PLACES = 5
"""Where an answer differs, that are shown."""
_LOG_LINES = 5
_PLATFORM = re.compile(r"(START|END|REPORT) RequestId: |INIT_START |$")
_SETTLES_S, _AGAIN_S = 30.0, 1.0
"""How long an alias may still lead to the version before: nobody promises that a move is known everywhere at once."""


def smokes_of(functions: Iterable[FunctionSpec]) -> dict[str, Smoke]:
    """Return the smoke event of each function that has one, by its name. Raises InputError with all that are wrong."""
    found, wrong = {}, []
    for spec in functions:
        wrong += [f"{spec.identity}/{problem}" for problem in problems(spec.folder)]
        contents = {path.name: path.read_bytes() for path in files_of(spec.folder)}
        if EVENT in contents:
            found[spec.name] = Smoke(event=contents[EVENT], answer=contents.get(ANSWER))
    if wrong:
        raise InputError("smoke events are not in order", facts=wrong, hint="mend them, then run `invoke check`")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """The way to ask."""

    invoker: Callable[[], Any]
    """Gives a client of Lambda that asks once, and waits for the longest function."""
    clock: Clock
    say: Callable[[str], None]

    def versions(self, moves: Iterable[Move]) -> None:
        """Ask each new version by its number, so that nobody else comes to it; raise WentWrong with all that fail."""
        self._ask(moves, by_alias=False)

    def aliases(self, moves: Iterable[Move]) -> None:
        """Ask as callers do, to whom the new version must be known by now; raise WentWrong as soon as one fails."""
        self._ask(moves, by_alias=True)

    def _ask(self, moves: Iterable[Move], *, by_alias: bool) -> None:
        asked = [move for move in moves if move.smoke]
        client = self.invoker() if asked else None
        for move in asked:
            self.say(f"{_whom(move, by_alias=by_alias)}: asking {EVENT}")
        wrong: dict[str, list[str]] = {}
        over = threading.Event()
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="smoke")
        try:
            answers = {pool.submit(self._facts, move, client, over, by_alias=by_alias): move.name for move in asked}
            for answer in as_completed(answers):
                if facts := answer.result():
                    wrong[answers[answer]] = facts
                    if by_alias:
                        break
        finally:
            over.set()
            pool.shutdown(wait=False, cancel_futures=True)  # whoever presses Ctrl-C waits for no answer
        if wrong:
            facts = [fact for name in sorted(wrong) for fact in wrong[name]]
            raise WentWrong("smoke events got other answers than expected", facts, function=min(wrong))

    def _facts(self, move: Move, client: Any, over: threading.Event, *, by_alias: bool) -> list[str]:
        """Return what is wrong with the answer, and what was logged meanwhile; nothing if all is well."""
        assert move.smoke
        answer = self._answer(move, move.smoke.event, client, over, by_alias=by_alias)
        if answer.version != move.after:
            wrong = [f"expected version {move.after} to answer, got version {answer.version} after {_SETTLES_S:.0f} s"]
        elif answer.error:
            wrong = [f"expected an answer, got {answer.error}: {_short(answer.payload)}"]
        else:
            wrong = _wrong(answer.payload, move.smoke.answer)
        whom = _whom(move, by_alias=by_alias)
        return [*(f"{whom}, {EVENT}: {line}" for line in wrong), *(_log(answer.log_tail) if wrong else ())]

    def _answer(self, move: Move, event: bytes, client: Any, over: threading.Event, *, by_alias: bool) -> Answer:
        """Ask until the new version is who answers, or nobody waits for it any more."""
        until = self.clock.monotonic() + _SETTLES_S
        qualifier = ALIAS if by_alias else move.after
        while True:
            answer = call(move.name, move.function.function_name, (EVENT, event), client, qualifier=qualifier)
            if answer.version == move.after or not by_alias or over.is_set() or self.clock.monotonic() >= until:
                return answer
            self.clock.sleep(_AGAIN_S)


def differences(expected: Any, got: Any, place: str = "") -> Iterator[str]:
    """Yield a line for each place where ``got`` is not what ``expected`` says.

    Of an object every key that is expected has to be there, others may; lists and all else have to be the same. The
    body of an HTTP answer, a string of JSON, is compared as what it stands for, unless a string is expected.
    """
    if not isinstance(expected, Mapping) or not isinstance(got, Mapping):
        if _text(expected) != _text(got):
            yield f"{place or 'the answer'}: expected {_short(_text(expected))}, got {_short(_text(got))}"
        return
    for key, value in expected.items():
        here = f"{place}.{key}" if place else key
        if key not in got:
            yield f"{here}: expected {_short(_text(value))}, got nothing"
        elif not place and key == "body" and "statusCode" in got and isinstance(value, Mapping):
            yield from differences(value, _parsed(got[key]), here)
        else:
            yield from differences(value, got[key], here)


def _whom(move: Move, *, by_alias: bool) -> str:
    return move.title if by_alias else f"{move.name}, version {move.after}"


def _wrong(payload: str, answer: bytes | None) -> list[str]:
    if answer is None:
        return []
    wrong = list(differences(json.loads(answer), _parsed(payload)))
    return wrong if len(wrong) <= _PLACES else [*wrong[:_PLACES], f"and {len(wrong) - _PLACES} other places"]


def _log(tail: str) -> Sequence[str]:
    lines = [line for line in tail.splitlines() if not _PLATFORM.match(line)]
    return [f"  its log: {_short(line)}" for line in lines[-_LOG_LINES:]]


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= _CHARS else f"{text[:_CHARS]}…"
