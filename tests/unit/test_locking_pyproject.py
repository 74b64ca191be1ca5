import pytest

from build.locking.pyproject import poetry_ranges, wanted_by


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2.3", ["1.2.3", "1.9"], ["1.2.2", "2.0", "2.0rc1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.9"], ["0.1"]),
        ("^0", ["0.9"], ["1.0"]),
        ("^1", ["1.9.9"], ["2"]),
        ("~1.2.3", ["1.2.9"], ["1.3"]),
        ("~1.2", ["1.2.9"], ["1.3"]),
        ("~1", ["1.9"], ["2.0"]),
        ("~=1.2.3", ["1.2.9"], ["1.3"]),
        ("*", ["0.1", "9"], []),
        ("1.2.*", ["1.2.9"], ["1.3"]),
        ("1.2", ["1.2"], ["1.2.1"]),
        (">= 1.2, < 2", ["1.2", "1.9"], ["1.1", "2"]),
        (">=1.2 <2.0", ["1.3"], ["2.0"]),
        ("^1.0 || ^3.0", ["1.5", "3.5"], ["2.5"]),
        ("1.5|2.5", ["1.5", "2.5"], ["2.0"]),
        ("!=1.5,>=1", ["1.4"], ["1.5"]),
    ],
)
def test_poetrys_constraints_mean_what_its_documentation_says(text, inside, outside):
    ranges = poetry_ranges(text)
    assert [any(each.contains(version, prereleases=True) for each in ranges) for version in (*inside, *outside)] == [
        *(True for _ in inside),
        *(False for _ in outside),
    ]


def test_extras_and_groups_are_not_wanted():
    wanted, problems = wanted_by(
        {
            "project": {"dependencies": ["a[x]>=1 ; python_version > '3.8'"], "optional-dependencies": {"e": ["b"]}},
            "dependency-groups": {"dev": ["c"]},
            "tool": {
                "poetry": {"dependencies": {"a": {"source": "mine"}}, "group": {"dev": {"dependencies": {"d": "*"}}}}
            },
        }
    )
    assert ([str(wish) for wish in wanted], problems) == (['a[x]>=1; python_version > "3.8"'], ())


def test_urls_are_wanted_without_credentials_and_paths_are_left_to_the_lock():
    lines = [
        "a @ https://me:word@example.invalid/a-1.zip#sha256=" + "A" * 64,
        "b @ https://example.invalid/b-1.zip#subdirectory=x",
        "c @ file:../c",
        "d @ git+https://example.invalid/d",
    ]
    wanted, problems = wanted_by({"project": {"dependencies": lines}})
    assert problems == ()
    assert [wish.url for wish in wanted] == [
        "https://example.invalid/a-1.zip#sha256=" + "a" * 64,
        "https://example.invalid/b-1.zip",
        None,
        "git+https://example.invalid/d",
    ]
    tables = {"e": {"url": "https://example.invalid/e-1.zip"}, "f": {"path": "../f"}, "g": "*"}
    wanted, _ = wanted_by({"tool": {"poetry": {"dependencies": tables}}})
    assert [wish.url for wish in wanted] == ["https://example.invalid/e-1.zip", None, None]


def test_what_no_tool_can_read_is_told():
    wanted, problems = wanted_by({"project": {"dependencies": ["a b"]}})
    assert not wanted
    assert problems[0].startswith("a b: ")
    assert wanted_by({"tool": {"poetry": {"dependencies": {"a": "^x"}}}})[1][0].startswith("a: ")
