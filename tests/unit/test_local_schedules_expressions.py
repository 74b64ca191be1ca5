"""When schedules fire: what AWS documents, and every expression against every minute."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build.local.sources.expressions import INSTANT, Timing, parsed

SUNDAY = datetime(2026, 2, 1, tzinfo=UTC)
"""February of 2026 begins on a Sunday."""


def times(text, start=SUNDAY, *, zone="UTC", end=None, most=3, after=None):
    """Return the first times at which ``text`` fires from ``start`` on, as the zone's clocks show them."""
    timing = Timing(expression=parsed(text), zone=ZoneInfo(zone), start=start, end=end)
    found, moment = list[str](), (after or start) - INSTANT
    while len(found) < most and (moment := timing.after(moment)):
        found.append(f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        # the examples of both of AWS's guides
        ("0 10 * * ? *", ["2026-02-01 10:00", "2026-02-02 10:00", "2026-02-03 10:00"]),
        ("15 12 * * ? *", ["2026-02-01 12:15", "2026-02-02 12:15", "2026-02-03 12:15"]),
        ("0 18 ? * MON-FRI *", ["2026-02-02 18:00", "2026-02-03 18:00", "2026-02-04 18:00"]),
        ("0 8 1 * ? *", ["2026-02-01 08:00", "2026-03-01 08:00", "2026-04-01 08:00"]),
        ("0/15 * * * ? *", ["2026-02-01 00:00", "2026-02-01 00:15", "2026-02-01 00:30"]),
        ("0/10 * ? * MON-FRI *", ["2026-02-02 00:00", "2026-02-02 00:10", "2026-02-02 00:20"]),
        ("0/5 8-17 ? * MON-FRI *", ["2026-02-02 08:00", "2026-02-02 08:05", "2026-02-02 08:10"]),
        ("0/30 20-2 ? * MON-FRI *", ["2026-02-02 00:00", "2026-02-02 00:30", "2026-02-02 01:00"]),
        ("0 12 * * ? *", ["2026-02-01 12:00", "2026-02-02 12:00", "2026-02-03 12:00"]),
        ("5,35 14 * * ? *", ["2026-02-01 14:05", "2026-02-01 14:35", "2026-02-02 14:05"]),
        ("15 10 ? * 6L 2022-2026", ["2026-02-27 10:15", "2026-03-27 10:15", "2026-04-24 10:15"]),
        ("1/10 0 1 JAN,FEB,MAR ? *", ["2026-02-01 00:01", "2026-02-01 00:11", "2026-02-01 00:21"]),
        ("0 0 3W * ? *", ["2026-02-03 00:00", "2026-03-03 00:00", "2026-04-03 00:00"]),
        ("0 0 ? * 3#2 *", ["2026-02-10 00:00", "2026-03-10 00:00", "2026-04-14 00:00"]),
        # what follows from them
        ("0 0 L * ? *", ["2026-02-28 00:00", "2026-03-31 00:00", "2026-04-30 00:00"]),
        ("0 0 L-2 * ? *", ["2026-02-26 00:00", "2026-03-29 00:00", "2026-04-28 00:00"]),
        ("0 0 LW * ? *", ["2026-02-27 00:00", "2026-03-31 00:00", "2026-04-30 00:00"]),
        ("0 0 1W * ? *", ["2026-02-02 00:00", "2026-03-02 00:00", "2026-04-01 00:00"]),
        ("0 0 31W * ? *", ["2026-03-31 00:00", "2026-05-29 00:00", "2026-07-31 00:00"]),
        ("0 0 28,31 * ? *", ["2026-02-28 00:00", "2026-03-28 00:00", "2026-03-31 00:00"]),
        ("0 0 ? * L *", ["2026-02-07 00:00", "2026-02-14 00:00", "2026-02-21 00:00"]),
        ("0 0 ? * SUN#5 *", ["2026-03-29 00:00", "2026-05-31 00:00", "2026-08-30 00:00"]),
        ("0 0 ? * sat-mon *", ["2026-02-01 00:00", "2026-02-02 00:00", "2026-02-07 00:00"]),
        ("0 0 ? 12-1 SUN 2026/2", ["2026-12-06 00:00", "2026-12-13 00:00", "2026-12-20 00:00"]),
        ("0 0 29 2 ? *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 12 * * ?", ["2026-02-01 12:00", "2026-02-02 12:00", "2026-02-03 12:00"]),
        ("0 0 30 2 ? *", []),
        ("0 0 * * ? 2025", []),
    ],
)
def test_cron_means_what_aws_documents(fields, first):
    assert times(f"cron({fields})") == first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rate"),
        ("every day", "rate"),
        ("rate(0 minutes)", "5 minutes"),
        ("rate(1 minutes)", "1 hour"),
        ("rate(5 minute)", "5 minutes"),
        ("rate(5 weeks)", "5 minutes"),
        ("rate(-5 minutes)", "5 minutes"),
        ("at(2030-01-31)", "2030-01-31T08:00:00"),
        ("at(2030-02-30T08:00:00)", "day"),
        ("cron(* * * * *)", r"\?"),
        ("cron(0 12 * * * *)", r"\?"),
        ("cron(0 12 ? * ? *)", r"\?"),
        ("cron(0 12 ? *)", "minutes hours"),
        ("cron(60 * * * ? *)", "minutes from 0 to 59"),
        ("cron(0 24 * * ? *)", "hours from 0 to 23"),
        ("cron(0 0 0 * ? *)", "day of the month from 1 to 31"),
        ("cron(0 0 32W * ? *)", "day of the month from 1 to 31"),
        ("cron(0 0 1 13 ? *)", "month from 1 to 12"),
        ("cron(0 0 ? * 0 *)", "day of the week from 1 to 7"),
        ("cron(0 0 ? * MOO *)", "day of the week from 1 to 7"),
        ("cron(0 0 ? * 3#1,6#3 *)", "one day of the week"),
        ("cron(0 0 ? * 3#6 *)", "day of the week"),
        ("cron(0 0 1 1 ? 1969)", "year from 1970 to 2199"),
        ("cron(*/0 * * * ? *)", "step"),
        ("cron(? * * * ? *)", "minutes"),
        ("cron(5- * * * ? *)", "minutes"),
    ],
)
def test_what_is_no_expression_is_refused_and_why(text, said):
    with pytest.raises(ValueError, match=said):
        parsed(text)


def test_a_rate_counts_from_its_start_in_hours_of_sixty_minutes():
    start = datetime(2026, 3, 28, 12, 0, 30, tzinfo=UTC)
    assert times("rate(1 day)", start, zone="Europe/Berlin") == [
        "2026-03-28 13:00",
        "2026-03-29 14:00",
        "2026-03-30 14:00",
    ]
    assert times("rate(5 minutes)", start, after=start + timedelta(hours=1, seconds=1))[0] == "2026-03-28 13:05"
    assert times("rate(99999999 days)", start) == ["2026-03-28 12:00"], "and never again before the year 9999"


def test_nothing_fires_before_its_start_nor_from_its_end_on():
    start, end = datetime(2026, 2, 1, 11, tzinfo=UTC), datetime(2026, 2, 3, 10, tzinfo=UTC)
    assert times("cron(0 10 * * ? *)", start, end=end, after=SUNDAY) == ["2026-02-02 10:00"]
    assert times("rate(1 day)", start, end=end, after=SUNDAY) == ["2026-02-01 11:00", "2026-02-02 11:00"]


def test_at_fires_once_in_its_zone_whatever_start_and_end_say():
    end = SUNDAY + timedelta(days=1)
    assert times("at(2026-11-20T13:00:00)", zone="America/Los_Angeles", end=end) == ["2026-11-20 13:00"]
    assert Timing(
        expression=parsed("at(2026-11-20T13:00:00)"), zone=ZoneInfo("America/Los_Angeles"), start=SUNDAY
    ).after(SUNDAY) == datetime(2026, 11, 20, 21, tzinfo=UTC)
    assert times("at(2025-11-20T13:00:00)") == []


@pytest.mark.parametrize(
    ("text", "zone"), [("9999-12-31T23:59:59", "America/New_York"), ("0001-01-01T00:00:00", "Asia/Tokyo")]
)
def test_at_a_time_that_no_clock_in_utc_can_show_never_fires(text, zone):
    assert times(f"at({text})", zone=zone) == []


def test_what_clocks_leave_out_in_spring_is_left_out_and_what_they_repeat_in_autumn_comes_once():
    # AWS's own example: cron(30 2 * * ? *) in Los Angeles
    spring, autumn = datetime(2026, 3, 7, 8, tzinfo=UTC), datetime(2026, 10, 31, 8, tzinfo=UTC)
    zone = "America/Los_Angeles"
    assert times("cron(30 2 * * ? *)", spring, zone=zone, most=2) == ["2026-03-07 02:30", "2026-03-09 02:30"]
    timing = Timing(expression=parsed("cron(30 1 * * ? *)"), zone=ZoneInfo(zone), start=autumn)
    assert timing.after(autumn + timedelta(hours=12)) == datetime(2026, 11, 1, 8, 30, tzinfo=UTC), "summer time"
    assert timing.after(datetime(2026, 11, 1, 8, 30, tzinfo=UTC)) == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def ranges(low, high):
    """Draw a field's text, and which values it means."""
    number = st.integers(low, high)
    values = range(low, high + 1)

    def around(first, last):
        found = [first]
        while found[-1] != last:
            found.append(found[-1] + 1 if found[-1] < high else low)
        return found

    item = st.one_of(
        st.just(("*", values)),
        number.map(lambda n: (str(n), [n])),
        st.tuples(number, number).map(lambda r: (f"{r[0]}-{r[1]}", around(*r))),
        st.tuples(number, number, st.integers(1, 70)).map(
            lambda r: (f"{r[0]}-{r[1]}/{r[2]}", around(r[0], r[1])[:: r[2]])
        ),
        st.tuples(number, st.integers(1, 70)).map(lambda r: (f"{r[0]}/{r[1]}", range(r[0], high + 1, r[1]))),
        st.integers(1, 70).map(lambda step: (f"*/{step}", values[::step])),
    )
    return st.lists(item, min_size=1, max_size=3).map(
        lambda items: (",".join(text for text, _ in items), {value for _, found in items for value in found})
    )


def nearest(day, wall):
    """Tell whether ``wall`` is of the weekday nearest to ``day``, by trying all."""
    length = monthrange(wall.year, wall.month)[1]
    weekdays = [d for d in range(1, length + 1) if wall.replace(day=d).isoweekday() < 6]
    return day <= length and wall.day == min(weekdays, key=lambda d: abs(d - day))


def aws_weekday(wall):
    return wall.isoweekday() % 7 + 1


NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
WEEK = timedelta(days=7)
DAYS = st.one_of(
    ranges(1, 31).map(lambda field: (f"{field[0]} {{}} ?", lambda wall: wall.day in field[1])),
    st.just(("L {} ?", lambda wall: (wall + timedelta(days=1)).month != wall.month)),
    st.integers(1, 31).map(lambda day: (f"{day}W {{}} ?", lambda wall: nearest(day, wall))),
    ranges(1, 7).map(lambda field: (f"? {{}} {field[0]}", lambda wall: aws_weekday(wall) in field[1])),
    st.integers(1, 7).map(
        lambda day: (
            f"? {{}} {NAMES[day - 1]}L",
            lambda wall: aws_weekday(wall) == day and (wall + WEEK).month != wall.month,
        )
    ),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(
        lambda r: (f"? {{}} {r[0]}#{r[1]}", lambda wall: aws_weekday(wall) == r[0] and (wall.day + 6) // 7 == r[1])
    ),
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago")
CHANGES = [
    datetime(2026, *day, tzinfo=UTC) for day in ((3, 8), (3, 29), (4, 5), (9, 6), (10, 4), (10, 25), (11, 1), (12, 31))
]
"""Around these, clocks of those zones change, and the year."""
HOURS = 30


def mostly_all(low, high):
    return st.one_of(*[st.just(("*", range(low, high + 1)))] * 3, ranges(low, high))


@st.composite
def crons(draw):
    """Draw an expression, and what tells whether it means a minute."""
    minutes, hours = draw(ranges(0, 59)), draw(mostly_all(0, 23))
    months, years = draw(mostly_all(1, 12)), draw(mostly_all(1970, 2199))
    days, is_day = draw(DAYS)

    def fits(wall):
        first = wall.minute in minutes[1] and wall.hour in hours[1] and not wall.fold
        return first and wall.month in months[1] and wall.year in years[1] and is_day(wall.replace(tzinfo=None))

    return f"cron({minutes[0]} {hours[0]} {days.format(months[0])} {years[0]})", fits


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cron=crons(),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    begin=st.sampled_from(CHANGES),
    offset=st.integers(-HOURS * 60, 0),
)
def test_cron_fires_in_every_minute_that_fits_and_in_no_other(cron, zone, begin, offset):
    text, fits = cron
    start = begin + timedelta(minutes=offset)
    timing = Timing(expression=parsed(text), zone=zone, start=start, end=start + timedelta(hours=HOURS))
    found, moment = [], start - INSTANT
    while moment := timing.after(moment):
        found.append(moment)
    minutes = [start + timedelta(minutes=n) for n in range(HOURS * 60)]
    assert found == [minute for minute in minutes if fits(minute.astimezone(zone))], text
