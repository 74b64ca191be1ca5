import pytest

from build.rules import values


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(5 minutes)",
        "rate(1 hour)",
        "rate(12 hours)",
        "rate(7 days)",
        "cron(0 8 ? * MON-FRI *)",
        "cron(0/15 * * * ? *)",
        "cron(0 3 L * ? *)",
        "at(2030-01-31T08:00:00)",
    ],
)
def test_an_expression_that_the_scheduler_takes_is_taken(expression):
    assert values.schedule(expression) is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("every day", 'expected "rate(5 minutes)", "cron('),
        ("rate(1 minutes)", 'expected "rate(1 minute)", got'),
        ("rate(5 minute)", 'expected "rate(5 minutes)", got'),
        ("rate(0 minutes)", 'expected "rate(1 hour)" or "rate(5 minutes)", got'),
        ("rate(5 weeks)", 'expected "rate(1 hour)" or "rate(5 minutes)", got'),
        ("cron(0 8 * * *)", "expected the six fields minutes hours day-of-month month day-of-week year, got"),
        ("cron(0 8 * * * *)", "expected ? as the day of the month or the day of the week, got"),
        ("at(2030-01-31)", 'expected "at(2030-01-31T08:00:00)", without a zone, got'),
        ("at(2030-01-31T08:00:00Z)", 'expected "at(2030-01-31T08:00:00)", without a zone, got'),
    ],
)
def test_an_expression_that_the_scheduler_refuses_is_told_with_one_that_it_takes(expression, expected):
    problem = values.schedule(expression)
    assert problem is not None
    assert problem.startswith(expected)
    assert problem.endswith(f'got "{expression}"')


def test_a_time_zone_is_one_that_this_machine_knows():
    assert values.timezone("UTC") is None
    assert values.timezone("Europe/Berlin") is None
    assert values.timezone("Europe/Berln") == (
        'expected a time zone such as "Europe/Berlin", got "Europe/Berln"; did you mean `Europe/Berlin`?'
    )


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        ("/mnt/data", True),
        ("/mnt/data-of_mine-1.0", True),
        ("/mnt/data/of-mine", False),
        ("/mnt", False),
        ("/mnt/", False),
        ("/tmp/data", False),
        ("mnt/data", False),
        (f"/mnt/{'x' * 156}", False),
    ],
)
def test_a_file_system_is_mounted_in_a_folder_of_mnt(path, fits):
    assert (values.mount(path) is None) is fits


@pytest.mark.parametrize("name", ["default", "New", "1st", ""])
def test_a_stack_is_in_kebab_case_and_not_called_like_the_envs_own(name):
    assert values.stack("new-orders") is None
    assert "expected" in (values.stack(name) or "")


@pytest.mark.parametrize("key", ["team", "cost centre", "a:b/c=d+e-f@g_h.i", "Größe", "x" * 128])
def test_a_tag_that_aws_takes_is_taken(key):
    assert values.tag_key(key) is None
    assert values.tag_value(key) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", "expected 1 … 128 letters, digits, spaces and _.:/=+-@, got 0"),
        ("x" * 129, "expected 1 … 128 letters, digits, spaces and _.:/=+-@, got 129"),
        ("a&b", 'expected 1 … 128 letters, digits, spaces and _.:/=+-@, got 3: "a&b"'),
        ("aws:x", "expected a name that does not begin with aws:"),
        ("AWS:x", "expected a name that does not begin with aws:"),
        ("env", "is set by Slipway; choose another name"),
        ("slipway", "is set by Slipway; choose another name"),
    ],
)
def test_the_key_of_a_tag_that_aws_or_slipway_refuses_is_told(key, expected):
    assert (values.tag_key(key) or "").startswith(expected)


def test_the_value_of_a_tag_may_be_empty_and_has_an_end():
    assert values.tag_value("") is None
    assert values.tag_value("x" * 256) is None
    assert (values.tag_value("x" * 257) or "").startswith("expected 0 … 256 letters, digits, spaces")


@pytest.mark.parametrize(
    ("event", "fits"),
    [
        ("s3:ObjectCreated:*", True),
        ("s3:ObjectRemoved:Delete", True),
        ("s3:ReducedRedundancyLostObject", True),
        ("ObjectCreated:*", False),
        ("s3:*", False),
    ],
)
def test_an_event_of_a_bucket_is_one_of_s3(event, fits):
    assert (values.bucket_event(event) is None) is fits
