"""The HTML page of the plan review: what it says, to whom it links, and that nothing in a plan can break out of it."""

import re
from base64 import b64encode
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from build.review.changes import Change, DependencyChange, FileChange
from build.review.page import page
from build.review.words import Verdict
from tests.review_samples import AWKWARD, empty, sample

VOID = {"meta", "link", "input", "path", "use", "rect"}
CANARY = "\"'><img src=x onerror=alert(1)></script></details></table><script>alert(1)</script>&lt;${name}\u202egnp.exe"


class Reader(HTMLParser):
    """Takes note of every element with its attributes and text, and that each is closed as it was opened."""

    def __init__(self, html):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    @property
    def text(self):
        """What people read, blanks as one."""
        told = "".join(data for path, data in self.texts if not {"style", "script"} & {*path})
        return re.sub(r"\s+", " ", told)

    def inside(self, tag):
        return [data for path, data in self.texts if path[-1:] == (tag,)]

    def values(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


def poisoned(value, path=""):
    """Return ``value`` with every text in it replaced by one that tries to get out, told apart by ``path``."""
    if is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: poisoned(getattr(value, each.name), f"{path}.{each.name}") for each in fields(value)}
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(poisoned(each, f"{path}.{number}") for number, each in enumerate(value))
    return f"{path}{CANARY}" if isinstance(value, str) and not isinstance(value, Enum) else value


def with_code(**changes):
    """Return a review of one function whose code changes so, and no layer."""
    review = sample(1)
    (function,) = review.functions
    assert function.code
    return replace(review, layers=(), functions=(replace(function, code=replace(function.code, **changes)),))


def test_the_page_is_whole_and_says_the_verdict_first():
    read = Reader(page(sample(4)))
    said = read.text
    assert said.index("Dangerous: 4 functions change in prod") < said.index("Reasons")
    assert "Apply this only if every dangerous point below is meant." in said
    assert "1 added, 2 changed, 1 removed, 2 untouched" in said
    assert "release 20260131T120000Z-1a2b3c4d, commit ab12cd300000" in said


@pytest.mark.parametrize("count", [1, 30])
def test_a_stranger_finds_new_versions_and_permissions_before_the_table_of_functions(count):
    html = page(sample(count))
    overview = html[html.index('class="overview"') : html.index('id="functions"')]
    said = re.sub(r"<[^>]+>", "", overview)
    assert re.search(r"pydantic\s*1\.10\.22→ to 2\.12\.5\s+major", said)
    assert "functions/orders may now dynamodb:PutItem on" in said
    assert "functions/orders may no longer dynamodb:Scan on" in said


def test_a_version_that_many_functions_get_is_said_once_with_their_number():
    html = page(sample(30))
    overview = html[html.index('id="dependencies"') : html.index('id="functions"')]
    assert overview.count("2.32.5") == 1
    assert "27 functions" in overview


def test_major_versions_and_steps_back_are_marked_and_come_first():
    step = DependencyChange(name="zlib-ng", before="2.0", after="1.0", step="major down", before_bytes=9, after_bytes=1)
    patch = replace(step, name="attrs", before="1.0.0", after="1.0.1", step="patch")
    html = page(with_code(dependencies=(patch, step)))
    overview = html[html.index('id="dependencies"') : html.index('id="functions"')]
    assert overview.index("zlib-ng") < overview.index("attrs")
    assert '<span class="chip look">major down</span>' in overview
    assert '<span class="chip">patch</span>' in overview


def test_what_new_functions_bring_is_folded_away_from_versions_that_change():
    html = page(sample(30))
    overview = html[html.index('id="dependencies"') : html.index('id="functions"')]
    changing, brought = overview.split("6 distributions in what is new</summary>")
    assert "httpx" not in changing
    assert "pydantic" in changing
    assert "httpx" in brought
    row = html[html.index('id="functions/invoices"') :].partition("</details>")[0]
    assert "httpx" not in html[html.index("Functions that change") : html.index('id="functions/invoices"')]
    assert "Unzipped 0.5 MB; zip 0.2 MB" in row
    assert "httpx" in row


def test_what_could_not_be_read_is_said_where_versions_are_looked_for():
    said = Reader(page(with_code(is_known=False, dependencies=(), files=()))).text
    assert "Not compared, and so not in this list: functions/orders" in said
    assert "files and dependencies cannot be compared" in said


def test_gained_wildcards_are_marked_with_who_gave_a_reason_and_lost_ones_are_not():
    read = Reader(page(sample(1)))
    assert set(read.inside("mark")) == {"*"}
    assert "reason given: reads whatever bucket the event names" in read.text
    (explained,) = (each for each in sample(1).grants if each.reason)
    wide = replace(explained, text="may now s3:Get* on x", wildcards=("s3:Get*",), reason=None, is_wide=True)
    read = Reader(page(replace(sample(1), grants=(wide,))))
    assert set(read.inside("mark")) == {"s3:Get*"}
    assert "wide wildcard nobody wrote why" in read.text
    assert Reader(page(replace(sample(1), grants=(replace(wide, gained=False),)))).inside("mark") == []


def test_the_same_right_of_many_functions_is_one_sentence():
    html = page(sample(30))
    rights = html[html.index('id="permissions"') : html.index('id="dependencies"')]
    assert rights.count("xray:PutTraceSegments") == 1
    assert "6 functions may now xray:PutTraceSegments" in Reader(html).text


def test_functions_stand_in_the_order_of_their_verdict_each_with_its_kinds_of_change():
    rows = [attrs for tag, attrs in Reader(page(sample(8))).elements if tag == "tr" and attrs.get("data-kinds")]
    ranks = [Verdict(attrs["data-verdict"]).rank for attrs in rows]
    assert len(rows) == 8
    assert ranks == sorted(ranks, reverse=True)
    everything = "code dependencies configuration environment triggers layers permissions"
    assert rows[0]["data-kinds"] == everything
    assert {"added", "removed"} <= {kind for attrs in rows for kind in attrs["data-kinds"].split()}


def test_behind_a_row_is_everything_that_changes_of_the_function():
    said = Reader(page(sample(1))).text
    for words in (
        "app.py 2 kB → 2 kB",
        "order_book.py 6 kB",
        "templates/old.txt 311 B",
        "memory_mb5121024",
        "LOG_LEVELhidden••••hidden••••changed",
        "TABLEnonehidden••••added",
        "http POST /orders/{id} added",
        "batch_size10100",
        "data changed",
        "log group changed (retention_in_days)",
        "Name shop-prod-orders",
        "Callers reach version 41 now",
        "Import time0.21 s→ to 0.38 s",
    ):
        assert words in said, words


def test_many_losses_of_a_kind_are_counted():
    (gone,) = (each for each in sample(4).losses if each.kind == "log group")
    losses = tuple(replace(gone, name=f"/aws/lambda/shop-{number}") for number in range(12))
    said = Reader(page(replace(sample(4), losses=losses))).text
    assert "log groups: 12 of them are destroyed, and with it every line logged so far" in said
    assert said.count("/aws/lambda/shop-11") == 1


def test_many_files_are_folded_and_too_many_are_counted():
    file = FileChange(path="", change=Change.CHANGED, before_bytes=1, after_bytes=2)
    files = tuple(replace(file, path=f"f{number:04}.json") for number in range(1000))
    read = Reader(page(with_code(files=files)))
    assert "980 more" in read.text
    assert "f0399.json" in read.text
    assert "f0400.json" not in read.text
    assert "and 600 others that are not listed" in read.text


def test_drift_stands_apart_and_says_what_the_plan_does_with_it():
    html = page(sample(1))
    drift = html[html.index('<section id="drift"') : html.index('<section id="resources"')]
    assert 'class="drift"' in drift
    assert "was changed outside Terraform: environment[0].variables, timeout" in drift
    assert "this plan may take it back" in drift
    assert "stays as it is" in drift


def test_an_empty_plan_gives_a_calm_page():
    read = Reader(page(empty()))
    assert "Safe: Nothing changes in prod" in read.text
    assert {tag for tag, _ in read.elements} & {"table", "details", "pre", "nav"} == set()


def test_an_empty_plan_still_says_what_is_wrong_and_what_others_changed():
    (reason,) = (each for each in sample(1).reasons if each.rule == "drift")
    said = Reader(page(replace(empty(), verdict=Verdict.LOOK, reasons=(reason,), drift=sample(1).drift))).text
    assert "Look: Nothing changes in prod" in said
    assert f"{reason.text} drift functions/orders" in said
    assert "function shop-prod-orders was changed outside Terraform" in said


def test_what_was_looked_for_and_not_found_is_said():
    quiet = replace(sample(1), losses=(), public=(), interruptions=(), drift=(), costs=empty().costs)
    said = Reader(page(quiet)).text
    for words in ("Nothing is destroyed", "becomes public", "is interrupted", "No price changes", "outside Terraform"):
        assert words in said
    assert "Looked at, and nothing found" not in Reader(page(sample(1))).text


def test_a_safe_plan_says_what_it_does_and_folds_nothing_of_it():
    review = sample(30)
    safe = tuple(each for each in review.reasons if each.verdict is Verdict.SAFE)
    said = Reader(page(replace(review, verdict=Verdict.SAFE, reasons=safe))).text
    assert "Nothing here needs a decision." in said
    assert "safe change" not in said
    assert "safe change" in Reader(page(review)).text
    assert f"Safe 1{safe[0].text}" in said


def test_stacks_have_a_column_where_there_are_some():
    assert "Stack" not in Reader(page(sample(1))).inside("th")
    assert "Stack" in Reader(page(replace(sample(1), stacks=("orders", "shop")))).inside("th")


def test_nothing_in_a_plan_can_break_out_of_the_page():
    clean, dirty = Reader(page(sample(8))), Reader(page(poisoned(sample(8))))
    kinds = {tag for tag, _ in clean.elements} | {"i"}
    assert {tag for tag, _ in dirty.elements} <= kinds
    assert [tag for tag, _ in dirty.elements].count("script") == 1
    names = {name for _, attrs in clean.elements for name in attrs}
    assert {name for _, attrs in dirty.elements for name in attrs} <= names
    for field in (".env", ".repository", ".reasons.0.text", ".reasons.0.rule", ".grants.0.text", ".losses.0.name"):
        shown = CANARY.replace("\u202e", "U+202E")
        assert f"{field}{shown}" in dirty.text, field


def test_addresses_that_are_no_web_pages_become_no_links():
    bad = "javascript:alert(1)"
    running = sample(1).running
    assert running
    review = replace(sample(1), commit_url=bad, compare_url=bad, running=replace(running, url=bad))
    hrefs = Reader(page(review)).values("href")
    assert all(href == "data:," or href.startswith("#") for href in hrefs)


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\ufeff", "\u2028", "\udc80"])
def test_characters_that_nobody_sees_are_shown_by_their_number(hidden):
    review = replace(sample(1), env=f"pr{hidden}od")
    html = page(review)
    assert hidden not in html
    assert f"prU+{ord(hidden):04X}od" in Reader(html).text
    html.encode("utf-8")


def test_a_text_of_ten_thousand_characters_scrolls_in_a_box_that_the_keyboard_reaches():
    reason = replace(sample(1).reasons[0], text="x" * 10_000)
    html = page(replace(sample(1), reasons=(reason,)))
    assert f'<span class="long" tabindex="0">{"x" * 10_000}</span>' in html
    summaries = re.findall(r"<summary>(.*?)</summary>", html, re.DOTALL)
    assert all("tabindex" not in summary for summary in summaries)


def test_an_awkward_file_name_is_shown_as_it_is():
    assert AWKWARD.replace("\n", "U+000A") in Reader(page(sample(4))).text


def test_the_policy_of_the_page_lets_nothing_run_or_load_but_its_own_style_and_script():
    html = page(sample(4))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for name in ("style", "script"):
        (code,) = re.findall(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)
        assert rules[f"{name}-src"] == f"'sha256-{b64encode(sha256(code.encode()).digest()).decode()}'"
    read = Reader(html)
    assert read.values("style") == read.values("src") == []
    assert not any(name.startswith("on") for _, attrs in read.elements for name in attrs)
    assert not re.search(r"url\(|@import|@font-face", html)


def test_links_lead_to_github_or_to_a_place_on_the_page():
    read = Reader(page(sample(30)))
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    inner = {href[1:] for href in read.values("href") if href.startswith("#")}
    assert inner <= set(ids)
    outer = [attrs for tag, attrs in read.elements if tag == "a" and not attrs["href"].startswith("#")]
    assert {attrs["href"].split("/")[2] for attrs in outer} == {"github.com"}
    assert all(attrs["rel"] == "noreferrer" for attrs in outer)


def test_the_page_has_landmarks_headings_in_order_and_tables_with_names():
    read = Reader(page(sample(30)))
    tags = [tag for tag, _ in read.elements]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in read.elements if tag == "th")
    assert set(read.values("aria-labelledby")) <= set(read.values("id"))
    assert {"find"} <= {attrs.get("for") for tag, attrs in read.elements if tag == "label"}


def test_the_same_review_gives_the_same_page():
    assert page(sample(30)) == page(sample(30))


def test_three_hundred_functions_stay_below_two_megabytes():
    assert len(page(sample(300)).encode()) < 2_000_000
