"""When schedules fire: the expressions rate(), cron() and at() of AWS, in any time zone.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html; rules of EventBridge take the same, but for
at(), in UTC: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial

INSTANT = timedelta(microseconds=1)
_MONTHS = dict(zip("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), range(1, 13), strict=True))
_WEEKDAYS = dict(zip("SUN MON TUE WED THU FRI SAT".split(), range(1, 8), strict=True))

_Days = Callable[[int, int], Iterable[int]]
"""Which days of a month are meant, given year and month; some may be beyond the month's end."""


@dataclass(frozen=True, slots=True)
class Rate:
    """``rate(5 minutes)``; a day has 24 hours, whatever clocks do."""

    every: timedelta


@dataclass(frozen=True, slots=True)
class At:
    """``at(2030-01-31T08:00:00)``."""

    wall: datetime
    """Without a zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """``cron(0 8 ? * MON-FRI *)``."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[_Days, ...]
    months: tuple[int, ...]
    years: tuple[int, ...]

    def walls(self, first: datetime) -> Iterator[datetime]:
        """Yield what a clock on the wall shows when it fires, in order, beginning with ``first``'s minute."""
        first = first.replace(second=0, microsecond=0)
        for day in self._dates(first.date()):
            for hour in self.hours:
                if day == first.date() and hour < first.hour:
                    continue
                for minute in self.minutes:
                    wall = datetime.combine(day, time(hour, minute))
                    if wall >= first:
                        yield wall

    def _dates(self, first: date) -> Iterator[date]:
        for year in self.years[bisect_left(self.years, first.year) :]:
            for month in self.months:
                if (year, month) < (first.year, first.month):
                    continue
                meant = {day for days in self.days for day in days(year, month)}
                for day in sorted(meant & set(range(1, _length(year, month) + 1))):
                    if date(year, month, day) >= first:
                        yield date(year, month, day)


Expression = Rate | Cron | At


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When one schedule fires."""

    expression: Expression
    zone: tzinfo
    start: datetime
    """Nothing fires before, and a rate does so for the first time; at() does not ask for it, nor for the end."""
    end: datetime | None = None
    """Nothing fires from then on."""

    def after(self, moment: datetime) -> datetime | None:
        """Return when it fires next after ``moment``, in UTC; None for never.

        A time that clocks leave out in spring does not come; one that they show twice in autumn comes once, first.
        """
        try:
            if isinstance(self.expression, At):
                at = self._instant(self.expression.wall)
                return at if at > moment else None
            found = self._recurring(self.expression, max(moment + INSTANT, self.start))
        except OverflowError:  # before the year 1, or beyond 9999
            return None
        return found if found and (self.end is None or found < self.end) else None

    def _recurring(self, expression: Rate | Cron, earliest: datetime) -> datetime | None:
        if isinstance(expression, Rate):
            passed = -((self.start - earliest) // expression.every)
            return self.start + passed * expression.every
        for wall in expression.walls(earliest.astimezone(self.zone).replace(tzinfo=None)):
            at = self._instant(wall)
            if at >= earliest and at.astimezone(self.zone).replace(tzinfo=None) == wall:
                return at
        return None

    def _instant(self, wall: datetime) -> datetime:
        return wall.replace(tzinfo=self.zone).astimezone(UTC)


def parsed(text: str) -> Expression:
    """Read an expression. Raises ValueError, which says what is wrong."""
    match = re.fullmatch(r"(rate|cron|at)\(([^()]*)\)", text)
    if not match:
        msg = f"expected rate(…), cron(…) or at(…), got {text!r}"
        raise ValueError(msg)
    readers: dict[str, Callable[[str], Expression]] = {"rate": _rate, "cron": _cron, "at": _at}
    return readers[match[1]](match[2])


def _rate(inside: str) -> Rate:
    match = re.fullmatch(r"([1-9]\d{0,8}) (minute|hour|day)(s?)", inside)
    if not match or (match[1] == "1") == bool(match[3]):
        msg = f'expected such as "1 hour" or "5 minutes" in rate(), got {inside!r}'
        raise ValueError(msg)
    return Rate(timedelta(**{f"{match[2]}s": int(match[1])}))


def _at(inside: str) -> At:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", inside):
        msg = f'expected such as "2030-01-31T08:00:00" in at(), got {inside!r}'
        raise ValueError(msg)
    return At(datetime.fromisoformat(inside))


def _cron(inside: str) -> Cron:
    fields = inside.upper().split()
    if len(fields) == 5:  # the year may be left out, says EventBridge Scheduler's guide
        fields.append("*")
    if len(fields) != 6:
        msg = f"expected minutes hours day-of-month month day-of-week year in cron(), got {inside!r}"
        raise ValueError(msg)
    minutes, hours, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        msg = f"expected ? as either the day of the month or the day of the week in cron(), got {inside!r}"
        raise ValueError(msg)
    if "#" in weekday and "," in weekday:
        msg = f"expected one day of the week only, since # is in it, got {weekday!r}"
        raise ValueError(msg)
    return Cron(
        minutes=_values(minutes, "minutes", 0, 59),
        hours=_values(hours, "hours", 0, 23),
        days=tuple(map(_of_month, day.split(",")) if weekday == "?" else map(_of_week, weekday.split(","))),
        months=_values(month, "month", 1, 12, _MONTHS),
        years=_values(year, "year", 1970, 2199),
    )


def _values(text: str, what: str, low: int, high: int, names: Mapping[str, int] | None = None) -> tuple[int, ...]:
    """Return what a field means: numbers or names, lists, ranges (``20-2`` goes round) and steps."""

    def number(word: str) -> int:
        value = (names or {}).get(word, int(word) if re.fullmatch(r"[0-9]{1,4}", word) else -1)
        if not low <= value <= high:
            msg = f"expected {what} from {low} to {high} in cron(), got {text!r}"
            raise ValueError(msg)
        return value

    found: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        first, dash, last = ("*", "", "") if span == "*" else span.partition("-")
        begin = low if first == "*" else number(first)
        end = number(last) if dash else high if slash or first == "*" else begin
        if slash and not re.fullmatch(r"0*[1-9][0-9]{0,3}", step):
            msg = f"expected a step of at least 1 in cron(), got {text!r}"
            raise ValueError(msg)
        size = high - low + 1
        found.update(
            low + (begin - low + offset) % size for offset in range(0, (end - begin) % size + 1, int(step or 1))
        )
    return tuple(sorted(found))


def _of_month(item: str) -> _Days:
    if item == "LW":
        return lambda year, month: _nearest_weekday(_length(year, month), year, month)
    if last := re.fullmatch(r"L(?:-([0-9]{1,2}))?", item):
        return lambda year, month: (_length(year, month) - int(last[1] or 0),)
    nearest = re.fullmatch(r"([0-9]+)W", item)
    dates = _values(nearest[1] if nearest else item, "day of the month", 1, 31)
    return partial(_nearest_weekday, dates[0]) if nearest else lambda _year, _month: dates


def _of_week(item: str) -> _Days:
    match = re.fullmatch(r"(?P<day>\w+?)(?P<last>L)|(?P<nth_day>\w+)#(?P<nth>[1-5])", item)
    if not match:
        weekdays = _values("SAT" if item == "L" else item, "day of the week", 1, 7, _WEEKDAYS)
        return lambda year, month: [day for weekday in weekdays for day in _weekday(weekday, year, month)]
    (weekday,) = _values(match["day"] or match["nth_day"], "day of the week", 1, 7, _WEEKDAYS)
    nth = slice(-1, None) if match["last"] else slice(int(match["nth"]) - 1, int(match["nth"]))
    return lambda year, month: _weekday(weekday, year, month)[nth]


def _weekday(weekday: int, year: int, month: int) -> range:
    """Return the days of a month that are a ``weekday``, 1 for Sunday."""
    first = date(year, month, 1).isoweekday() % 7 + 1
    return range(1 + (weekday - first) % 7, _length(year, month) + 1, 7)


def _nearest_weekday(day: int, year: int, month: int) -> tuple[int, ...]:
    """Return the day from Monday to Friday that is nearest to ``day`` in the same month."""
    length = _length(year, month)
    if day > length:
        return ()
    shift = {6: -1 if day > 1 else 2, 7: 1 if day < length else -2}
    return (day + shift.get(date(year, month, day).isoweekday(), 0),)


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]
