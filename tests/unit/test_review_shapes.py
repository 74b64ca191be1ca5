"""The review on a terminal, as Markdown and as JSON: of any size, of anything, and without a secret."""

import io
import json
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from build.review.changes import Change
from build.review.markdown import LIMIT, markdown, plain
from build.review.page import page
from build.review.phrases import delta
from build.review.rules import reasons_of
from build.review.shapes import to_json
from build.review.terminal import lines, show
from build.review.words import Grant, Loss, Reason, Review, Verdict
from tests.review_samples import AWKWARD, empty, sample
from tests.unit.test_review_plans import ALL, document, ledger, review
from tests.unit.test_review_rules import function, orders, resource
from tests.unit.test_review_rules import review as review_of_rows

MENTION = re.compile(r"(?<![\w`])@[a-z0-9]", re.IGNORECASE)


def html_of(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def drawn(given: Review, *, width: int = 120) -> str:
    from rich.console import Console

    stream = io.StringIO()
    show(given, Console(file=stream, force_terminal=True, width=width, color_system="standard"))
    return stream.getvalue()


def every_shape(given: Review) -> dict[str, str]:
    return {
        "terminal": "\n".join(lines(given)),
        "rich": drawn(given),
        "markdown": markdown(given),
        "json": json.dumps(to_json(given)),
    }


# ── secrets ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ALL)
def test_no_shape_of_a_real_plan_has_a_value_of_the_environment_or_a_sensitive_one(name):
    assert "canary" in json.dumps(document(name)["plan"]) or name in {"gone", "triggers"}
    for shape, text in every_shape(review(name)).items():
        assert "canary" not in text, shape


def test_no_shape_has_what_terraform_marks_sensitive_wherever_it_stands():
    hidden = {"description": "canary-a", "handler": "canary-b", "tags": {"a": "canary-c"}, "image_uri": "canary-d"}
    before, after = function(**hidden), function(**{**hidden, "description": "canary-e", "handler": "canary-f"})
    flags = {"description": True, "handler": True, "tags": {"a": True}, "image_uri": True}
    changed = orders(before, after, before_sensitive=flags, after_sensitive=flags)
    rule = resource("aws_cloudwatch_event_rule", {"name": "x"}, {"name": "x", "event_pattern": '{"a": "canary-g"}'})
    given = review_of_rows(changed, rule)
    for shape, text in every_shape(given).items():
        assert "canary" not in text, shape
        assert "handler changed" in text or shape == "json", "that it changes is said"


def test_no_shape_has_a_drifted_value_of_the_environment():
    one, other = (function(environment=[{"variables": {"TOKEN": f"canary-{n}"}}]) for n in (1, 2))
    given = review_of_rows(orders(other, one), drift=[orders(one, other)])
    for shape, text in every_shape(given).items():
        assert "canary" not in text, shape
        assert "TOKEN" in text, shape


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        AWKWARD,
        "a\n\n# b",
        "``` x",
        "| a | b |",
        "[a](b)",
        "![a](b)",
        "<!-- a",
        "&lt;",
        "~~a~~",
        "$a$ $b$",
        "@team",
        "see #12",
        "https://example.invalid",
        "www.example.invalid",
        "1. a",
        "- a",
        "+ a",
        "===",
        "\\",
        "\\|",
        "a\\",
        "*a* _b_",
        "\u2028# a",
    ],
)
def test_whatever_a_name_holds_markdown_shows_it_as_text(text):
    shown = html_of(f"- {plain(text)}\n\n| a |\n|---|\n| {plain(text)} |\n")
    for tag in ("<script", "<a ", "<img", "<h1", "<em", "<strong", "<code", "<del", "<ol", "<pre", "<hr"):
        assert tag not in shown
    assert shown.count("<li>") == 1
    assert shown.count("<td>") == 1
    assert not MENTION.search(shown)
    assert not re.search(r"#\d", shown)
    words = re.sub(r"[\x00-\x1f\u2028]+", " ", text).strip()
    cell = re.search(r"<td>(.*)</td>", shown, re.DOTALL)
    assert cell
    unescaped = cell[1].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert unescaped.replace("\u200b", "") == words


@pytest.mark.parametrize("functions", [1, 30, 300])
def test_markdown_fits_into_a_comment_and_has_no_markup_of_others(functions):
    text = markdown(sample(functions))
    assert len(text) <= LIMIT
    shown = html_of(text)
    assert "<script" not in shown
    assert "alert(&quot;1&quot;)" in shown or functions < 4
    assert not MENTION.search(re.sub(r"<pre>.*?</pre>", "", shown, flags=re.DOTALL))
    assert text.count("<details") == text.count("</details>")


def vast() -> Review:
    """Return a review where everything is too much."""
    many = range(900)
    losses = tuple(
        Loss(
            subject=f"functions/f{n}",
            address=f"a{n}",
            kind="queue",
            name=f"shop-prod-f{n}",
            replaced=False,
            lost=("the messages in it",),
            why=("no longer in the configuration",),
            loses_data=True,
        )
        for n in many
    )
    reasons = tuple(
        Reason(rule="data-lost", verdict=Verdict.DANGEROUS, subject=f"functions/f{n}", text=f"queue f{n} is destroyed")
        for n in many
    )
    looks = tuple(
        Reason(rule="setting", verdict=Verdict.LOOK, subject=f"functions/f{n}", text=f"memory_mb {n} → {n + 1}")
        for n in many
    )
    grants = tuple(
        Grant(
            subject=f"functions/f{n}",
            address=f"r{n}",
            kind="role",
            gained=True,
            who=f"functions/f{n}",
            text=f"may now s3:GetObject on bucket b{n} (arn:aws:s3:::b{n})",
        )
        for n in range(200)
    )
    return replace(sample(300), losses=losses, reasons=(*reasons, *looks), grants=grants)


def test_what_is_dangerous_destroyed_or_grants_permissions_is_cut_last():
    text = markdown(vast())
    assert len(text) <= LIMIT
    assert text.count("may now s3:GetObject") == 200, "there is room for all permissions"
    assert text.count("is destroyed") >= 200
    assert text.count("memory\\_mb") == 0, "nothing else is left but its number"
    assert "**Look**: 900 lines" in text
    assert "**Every line of the plan**: " in text


@pytest.mark.parametrize("limit", [1_000, 5_000, 20_000])
def test_any_limit_is_kept(limit):
    text = markdown(vast(), limit=limit)
    assert len(text) <= limit
    assert "dangerous" in text


def test_what_a_new_function_brings_is_folded_and_its_size_is_not():
    text = markdown(sample(2))
    shown, folded = text.split("<summary><b>Distributions in what is new</b> (7)</summary>")
    assert "  - 6 distributions\n" in shown
    assert "  - zip 0.2 MB\n" in shown
    assert "httpx" not in shown
    assert "- functions/invoices\n  - certifi 3.1.0\n" in folded


def test_what_a_new_layer_brings_is_one_reason_and_folded():
    (layer,) = sample(1).layers
    new = replace(layer, change=Change.ADDED)
    reasons = reasons_of(replace(sample(1), layers=(new,)), ())
    assert ("dependency-added", "1 distribution in a new layer") in {
        (each.rule, each.text) for each in reasons if each.subject == "layers/data"
    }
    shown, folded = markdown(replace(sample(1), layers=(new,))).split("Distributions in what is new")
    assert "numpy" not in shown
    assert "numpy 2.5.5" in folded


@pytest.mark.parametrize("functions", [1, 30])
def test_every_shape_calls_permissions_by_one_name(functions):
    given = sample(functions)
    for shape, text in {**every_shape(given), "page": page(given)}.items():
        said = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"\brights?\b", said, re.IGNORECASE), shape
        assert "ermissions" in said or shape == "json"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (487, 499, "487 B → 499 B (+12 B)"),
        (90_000, 90_010, "90 kB → 90 kB (+10 B)"),
        (3_200_000, 1_240_000, "3.2 MB → 1.2 MB (−2.0 MB)"),
        (0, 1204, "1 kB"),
    ],
)
def test_a_step_of_some_bytes_is_said_in_bytes(before, after, said):
    assert delta(before, after) == said


def test_details_go_before_anything_else():
    whole, cut = markdown(sample(30)), markdown(sample(300), limit=20_000)
    assert "more lines; the JSON and the page have them" in cut
    assert "more lines" not in whole
    assert "numpy 2.2.6 → 2.5.5" in cut, "what is no detail is all there"
    assert "runtime python3.12 → python3.13 (296 functions)" in plain(cut).replace("\\", "")


def test_links_of_a_repository_are_shown_and_a_strange_one_is_not():
    assert "[what runs now](<https://github.com/example/shop/commit/ab12cd3" in markdown(sample())
    assert "(<" not in markdown(replace(sample(), running=None, commit_url="https://x/> [a](b)", compare_url=None))


# ── terminal ──────────────────────────────────────────────────────────────────────────────────


def test_a_plan_that_changes_nothing_is_one_line_everywhere():
    assert lines(empty()) == ("safe: shop prod, nothing to change",)
    assert drawn(empty()).count("\n") == 1
    assert markdown(empty()).splitlines() == ["**safe: shop prod, nothing to change**"]


def test_a_plan_that_changes_nothing_still_tells_what_changed_outside():
    plan = document("drift")["plan"] | {"resource_changes": [], "output_changes": {}}
    text = "\n".join(lines(review("drift", plans={"": plan})))
    assert text.startswith("dangerous: slipway local, nothing to change; ")
    assert "Changed outside Terraform" in text


def test_a_plan_for_300_functions_says_the_same_change_once():
    shown = lines(sample(300))
    assert "  runtime python3.12 → python3.13 (296 functions)" in shown
    assert len(shown) < 150


def test_what_is_dangerous_is_never_cut_on_a_terminal():
    shown = lines(vast())
    assert sum("queue shop-prod-f" in line for line in shown) == 900
    assert "  … and 860 more; --json has them" in shown


def test_no_name_steers_the_terminal():
    steered = replace(sample(), repository="shop\x1b[2J\x07\u202e", env="[bold]x[/]")
    for text in ("\n".join(lines(steered)), re.sub(r"\x1b\[[0-9;]*m", "", drawn(steered))):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
        assert "[bold]x[/]" in text


def test_rich_and_plain_lines_say_the_same():
    def words(text: str) -> list[str]:
        return re.sub(r"\x1b\[[0-9;]*m", "", text).split()

    assert words(drawn(sample(30), width=400)) == words("\n".join(lines(sample(30))))


# ── JSON, and all of them ─────────────────────────────────────────────────────────────────────


def test_json_has_every_field_by_its_name_and_plain_words_for_verdicts():
    given = to_json(sample(1))
    assert (given["schema_version"], given["verdict"], given["functions"][0]["change"]) == (1, "dangerous", "changed")
    assert given["functions"][0]["settings"][0] == {"name": "memory_mb", "before": "512", "after": "1024"}
    assert given["costs"]["direction"] == "up"
    assert json.loads(json.dumps(given)) == given


@pytest.mark.parametrize("name", ALL)
def test_every_shape_is_the_same_when_it_is_made_again_of_the_same_in_another_order(name):
    plan = document(name)["plan"]
    turned = plan | {key: plan[key][::-1] for key in ("resource_changes", "resource_drift")}
    turned["output_changes"] = dict(reversed(plan["output_changes"].items()))
    assert every_shape(review(name)) == every_shape(review(name, plans={"": turned}))


def test_the_sample_has_all_kinds_of_things():
    given = sample(30)
    assert {each.change for each in given.functions} == {Change.CHANGED, Change.ADDED, Change.REMOVED}
    assert all(
        (given.grants, given.losses, given.public, given.drift, given.costs.items, given.interruptions, given.layers)
    )
    assert ledger()["handoff"]
