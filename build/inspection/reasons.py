"""Why a distribution is there: the chains of requirements that bring it, each as it holds on the target.

Pure: what is wanted and what the distributions say in, chains out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from build.inspection.contents import Contents, Held
from build.locking.formats import wanted_file
from build.locking.locks import Lock
from build.model import Target
from build.project.profiles import BUNDLED, profile_of
from build.rules.words import did_you_mean

Environment = Mapping[str, str]
"""PEP 508 marker variables of one target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One requirement."""

    by: str
    """Who has it: a file such as ``requirements.in``, or a distribution, ``requests 2.34.2``."""
    requirement: str
    """Name, extras and specifier, ``urllib3<3,>=1.26``."""
    marker: str
    """Its condition, empty where there is none."""
    extra: str = ""
    """The extra of the distribution that has it, where it is needed for that alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """What is to be said about one distribution."""

    chains: tuple[tuple[Step, ...], ...]
    """From what is wanted down to it, the shortest for each requirement that names it; the shortest first."""
    passed_over: tuple[Step, ...]
    """Requirements that name it and do not hold: another platform's, or an extra's that nobody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanting:
    """A function or layer, and what it asks for."""

    artifact: str
    """``functions/orders``, ``layers/data-arm64``."""
    wishes: tuple[Step, ...]
    contents: Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a distribution is in a function, or is not."""

    distribution: str
    """Normalised (PEP 503)."""
    target: str
    found: Mapping[str, str]
    """Artifact to the version it holds."""
    in_runtime: bool
    """True if the runtime itself brings it."""
    reasons: Mapping[str, Reasons]
    """By artifact: the function's own, then those of its layers."""
    meant: str
    """``; did you mean …``, if it is not there and another has almost its name."""

    @property
    def is_there(self) -> bool:
        """True if the function can import it."""
        return bool(self.found) or self.in_runtime

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "distribution": self.distribution,
            "target": self.target,
            "found": dict(self.found),
            "in_runtime": self.in_runtime,
            "reasons": {artifact: asdict(reasons) for artifact, reasons in self.reasons.items()},
        }


def why_there(distribution: str, wanting: Sequence[Wanting], target: Target) -> Why:
    """Return why ``distribution`` is where it is; the first of ``wanting`` is the function, the others its layers.

    What a layer holds for other runtimes alone does not count.
    """
    name = canonicalize_name(distribution)
    folders = {"", "python", f"python/lib/{target.runtime}/site-packages"}
    held = {
        each.artifact: {held.name: held for held in each.contents.distributions if held.folder in folders}
        for each in wanting
    }
    together = {name: each for by_name in reversed(held.values()) for name, each in by_name.items()}
    found = {artifact: by_name[name].version for artifact, by_name in held.items() if name in by_name}
    markers = profile_of(target).markers
    # A function's requirements may be met by its layers, so its chains lead through them.
    reasons = {
        each.artifact: reasons_for(name, each.wishes, together if number == 0 else held[each.artifact], markers)
        for number, each in enumerate(wanting)
    }
    in_runtime = name in BUNDLED
    return Why(
        distribution=name,
        target=str(target),
        found=found,
        in_runtime=in_runtime,
        reasons=reasons,
        meant="" if found or in_runtime else did_you_mean(name, {*together, *BUNDLED}),
    )


def wishes_of(folder: Path, lock: Lock) -> tuple[Step, ...]:
    """Return what ``folder`` itself asks for; where it has only a lock, that is everything pinned."""
    identity = lock.identity
    if lock.wanted is not None:
        says = wanted_file(folder)
        return tuple(step_of(f"{identity}/{says}", wish) for wish in lock.wanted)
    return tuple(
        Step(by=f"the lock of {identity}", requirement=f"{pin.name}=={pin.version}", marker=str(pin.marker or ""))
        for pin in lock.pins
    )


_Node = tuple[str, str]
"""A distribution with one of its extras, or with none (empty)."""


def reasons_for(name: str, wanted: Iterable[Step], held: Mapping[str, Held], environment: Environment) -> Reasons:
    """Return why the distribution ``name`` is wanted, where ``wanted`` is what the folder itself asks for.

    ``held`` are all distributions that may pass requirements on, by name.
    """
    chains: dict[Step, tuple[Step, ...]] = {}
    passed_over: dict[Step, None] = {}
    pending: list[tuple[Step, tuple[Step, ...]]] = [(step, ()) for step in wanted]
    seen: set[_Node] = set()
    while pending:  # breadth first, so the first chain that reaches a node is a shortest
        level, pending = pending, []
        for step, above in level:
            requirement = Requirement(step.requirement)
            needed, chain = canonicalize_name(requirement.name), (*above, step)
            if not _holds(Marker(step.marker) if step.marker else None, environment, step.extra):
                if needed == name:
                    passed_over.setdefault(replace(step, extra=""))
            elif needed == name:
                chains.setdefault(step, chain)
            else:
                nodes = [(needed, extra) for extra in ("", *sorted(requirement.extras))]
                fresh = [node for node in nodes if node not in seen and needed in held]
                seen.update(fresh)
                pending += [(below, chain) for node in fresh for below in _steps(held[node[0]], node[1])]
    met = {replace(step, extra="") for step in chains}
    return Reasons(
        chains=tuple(sorted(chains.values(), key=lambda chain: (len(chain), [step.by for step in chain]))),
        passed_over=tuple(step for step in passed_over if step not in met),
    )


def needs(held: Mapping[str, Held], environments: Iterable[Environment]) -> Mapping[str, frozenset[str]]:
    """Return which of ``held`` needs which others on any target; an extra counts where another one asks for it."""
    found: dict[str, set[str]] = {name: set() for name in held}
    for environment in environments:
        pending: list[_Node] = [(name, "") for name in held]
        seen = set(pending)
        while pending:
            name, extra = pending.pop()
            for requirement in _requirements(held[name], extra):
                needed = canonicalize_name(requirement.name)
                if needed not in held or not _holds(requirement.marker, environment, extra):
                    continue
                found[name].add(needed)
                fresh = {(needed, asked) for asked in requirement.extras} - seen
                seen |= fresh
                pending += sorted(fresh)
    return {name: frozenset(others - {name}) for name, others in found.items()}


def step_of(by: str, requirement: Requirement, *, extra: str = "") -> Step:
    """Return ``requirement`` as a step."""
    marker = str(requirement.marker or "")
    bare = Requirement(str(requirement))
    bare.marker = None
    return Step(by=by, requirement=str(bare), marker=marker, extra=extra)


def _steps(held: Held, extra: str) -> Iterator[Step]:
    """Yield what `_requirements` does, as steps."""
    for requirement in _requirements(held, extra):
        yield step_of(f"{held.name} {held.version}", requirement, extra=extra)


def _requirements(held: Held, extra: str) -> Iterator[Requirement]:
    """Yield what ``held`` requires: for ``extra`` only what names an extra at all, else everything."""
    for requirement in map(_parsed, held.requires):
        if requirement and (not extra or "extra" in str(requirement.marker or "")):
            yield requirement


@cache
def _parsed(line: str) -> Requirement | None:
    """Return None for what no tool can read: some old uploads have such lines, and pip passes over them, too."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _holds(marker: Marker | None, environment: Environment, extra: str) -> bool:
    return not marker or marker.evaluate({**environment, "extra": extra})
