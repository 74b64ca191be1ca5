"""What figures say, in words: each with the number it was made from, and none dressed up."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from build.release.figures import DEFINITIONS, Figures, Stage, spoken


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One figure."""

    key: str
    """Of its definition."""
    title: str
    value: str
    """With what it was made from: ``12 min, median of 3``."""

    @property
    def meaning(self) -> str:
        """What exactly it counts."""
        return DEFINITIONS[self.key]


def headlines(figures: Figures) -> Iterator[Headline]:
    """Yield every figure, in the order they are shown in."""
    yield Headline(key="restore", title="Time to restore", value=_restore(figures))
    yield Headline(key="failures", title="Change failure rate", value=str(figures.failures))
    yield Headline(key="deploys", title="Deploys per week", value=_deploys(figures))
    yield Headline(key="rollbacks", title="Emergency rollbacks", value=str(figures.rollbacks))
    yield Headline(key="pins", title="Pin changes", value=_pins(figures))
    yield Headline(key="stages", title="Duration of a deploy", value=_duration(figures))
    yield Headline(key="verified", title="The same bytes elsewhere", value=str(figures.verified))
    yield Headline(key="rebuilt", title="Releases built again", value=str(figures.rebuilt))


def of_median(values: tuple[float, ...]) -> str:
    """Return ``12 min, median of 3``; of a single one that it is one."""
    return f"{spoken(median(values))}, {f'median of {len(values)}' if len(values) > 1 else 'once'}"


def compared(stage: Stage) -> tuple[str, ...]:
    """Return what the stage took before the release that is looked at, and since, each with how many deploys tell."""
    sides = zip((stage.before, stage.after), stage.counts, strict=True)
    return tuple(f"{spoken(value)} (of {count})" if value is not None else "none" for value, count in sides)


def _restore(figures: Figures) -> str:
    if not figures.incidents:
        return "no incident yet"
    left = len(figures.incidents) - len(figures.restored)
    said = [of_median(figures.restored)] if figures.restored else []
    return "; ".join([*said, *([f"{left} of {len(figures.incidents)} not restored yet"] if left else [])])


def _deploys(figures: Figures) -> str:
    if not figures.releases:
        return "none yet"
    since = max(figures.weeks[0].begins, figures.first[:10])
    return f"{sum(week.finished for week in figures.weeks)} since {since}"


def _pins(figures: Figures) -> str:
    if not figures.pins.of:
        return "none yet"
    return f"{figures.pins} deploys, {figures.distributions} distributions"


def _duration(figures: Figures) -> str:
    return of_median(tuple(seconds for _, seconds in figures.deploys)) if figures.deploys else "none yet"
