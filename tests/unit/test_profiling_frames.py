"""What a worker noted, as trees."""

from build.profiling.frames import Frame, Ground, Origin, calls, imports, longest, start

GROUND = Ground(
    own=frozenset({"/var/task/app.py", "/var/task/shop/prices.py", "/opt/python/shared.py"}),
    brought=frozenset({"app", "shop", "shared", "pandas"}),
    runtime=frozenset({"boto3", "awslambdaric"}),
    folders={"/here/unpacked": "/var/task", "/here/python": "/var/lang"},
)
HEAD = "import time: self [us] | cumulative | imported package"


def imported(own, total, name, depth=0):
    return f"import time: {own:9d} | {total:10d} | {'  ' * depth}{name}"


def shape(frame):
    """A tree as nested names."""
    return {frame.name: [shape(each) for each in frame.inside]} if frame.inside else frame.name


def told(name, *inside, file="/var/task/app.py", line=3, ns=1000, count=1):
    return {"name": name, "file": file, "line": line, "ns": ns, "calls": count, "inside": list(inside)}


def test_imports_are_nested_as_they_were_imported():
    lines = [
        HEAD,
        imported(10, 10, "re._parser", 2),
        imported(20, 30, "re", 1),
        imported(5, 5, "enum", 1),
        imported(100, 135, "json"),
        imported(7, 7, "boto3"),
    ]
    found = imports(lines, GROUND)
    assert [shape(frame) for frame in found] == [{"json": [{"re": ["re._parser"]}, "enum"]}, "boto3"]
    assert [frame.total_us for frame in found] == [135, 7]
    assert found[0].depth == 3


def test_it_is_known_whose_a_module_is():
    whose = {
        name: GROUND.of_module(name) for name in ("app", "shop.prices", "shared", "pandas.core", "boto3.x", "json")
    }
    assert whose == {
        "app": Origin.OWN,
        "shop.prices": Origin.OWN,
        "shared": Origin.OWN,
        "pandas.core": Origin.DEPENDENCY,
        "boto3.x": Origin.RUNTIME,
        "json": Origin.PYTHON,
    }


def test_the_handlers_module_which_python_does_not_time_gets_what_is_left():
    before = [imported(50, 50, "awslambdaric")]
    handler = [imported(300, 300, "pandas")]
    found = start(before, handler, 1000.0, "app", GROUND)
    assert shape(found) == {"cold start": [{"Python and Lambda's runtime": ["awslambdaric"]}, {"app": ["pandas"]}]}
    assert found.inside[1].own_us == 700
    assert found.total_us == 1050


def test_imports_too_small_to_be_seen_count_as_those_of_what_imports_them():
    before = [imported(1, 1, "tiny", 1), imported(9_000, 9_001, "json"), imported(100_000, 100_000, "site")]
    found = start(before, [], 0.0, "app", GROUND)
    (runtime,) = found.inside
    assert shape(runtime) == {"Python and Lambda's runtime": ["json", "site"]}
    assert runtime.inside[0].own_us == 9_001


def test_calls_are_named_placed_and_owned():
    inside = [
        told("<module>", file="/here/unpacked/pandas/core/__init__.py", line=1),
        told("dumps", file="/here/python/lib/python3.13/json/__init__.py", line=183),
        told("call", file="/var/runtime/boto3/session.py", line=9),
        told("len", file="builtins", line=0, count=7),
        told("pandas._libs.sum", file="pandas._libs", line=0),
        told("<lambda>", file="<string>", line=1),
    ]
    found = calls(told("", told("handler", *inside), file="", line=0, ns=0), GROUND)
    assert (found.name, found.place, found.origin) == ("handler", "/var/task/app.py:3", Origin.OWN)
    assert [(each.name, each.place, each.origin) for each in found.inside] == [
        ("import of pandas/core", "/var/task/pandas/core/__init__.py:1", Origin.DEPENDENCY),
        ("dumps", "/var/lang/lib/python3.13/json/__init__.py:183", Origin.PYTHON),
        ("call", "/var/runtime/boto3/session.py:9", Origin.RUNTIME),
        ("len", "", Origin.PYTHON),
        ("pandas._libs.sum", "", Origin.DEPENDENCY),
        ("<lambda>", "<string>:1", Origin.PYTHON),
    ]
    assert found.inside[3].calls == 7
    assert found.total_us == 7


def test_what_takes_longest_by_itself_is_summed_over_all_places():
    leaf = Frame(name="leaf", place="a.py:1", own_us=5, calls=2)
    other = Frame(name="leaf", place="b.py:1", own_us=9)
    frame = Frame(name="top", own_us=1, inside=(leaf, Frame(name="middle", own_us=2, inside=(leaf, other))))
    found = longest(frame, 3)
    assert [(each.name, each.place, each.own_us, each.calls) for each in found] == [
        ("leaf", "a.py:1", 10, 4),
        ("leaf", "b.py:1", 9, 1),
        ("middle", "", 2, 1),
    ]
