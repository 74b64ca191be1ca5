"""The plan review as one HTML file that loads nothing. Everything is there without scripts; they only filter."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from string import Template

from build.review.changes import Change, FunctionReview, LayerReview
from build.review.grouping import grouped
from build.review.page_markup import Html, Names, icon, joined, link, many, section, tag, text
from build.review.page_panels import (
    COST,
    costs,
    dependencies,
    drift,
    losses,
    notes,
    permissions,
    reasons,
    resources,
)
from build.review.page_rows import Rows
from build.review.words import Review, Running, Verdict

_PAGE = Path(__file__).with_name("page.html")
_STYLE = Path(__file__).with_name("page.css")
_COLON = Html('<span class="unseen">:</span>')
_MEANING = {
    Verdict.SAFE: "Nothing here needs a decision.",
    Verdict.LOOK: "Read the reasons before this is applied.",
    Verdict.DANGEROUS: "Apply this only if every dangerous point below is meant.",
}


def page(review: Review) -> str:
    """Return the page as HTML: the same for the same review, with no request to anything."""
    template, style = _PAGE.read_text(encoding="utf-8"), _STYLE.read_text(encoding="utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    return Template(template).substitute(
        title=text(f"{review.verdict.capitalize()}: plan review of {review.repository} for {review.env}"),
        style_source=_source(style),
        script_source=_source(script),
        style=style,
        repository=text(review.repository),
        env=text(review.env),
        main=joined(_sections(review)),
        footer=_footer(review),
    )


def _source(code: str) -> str:
    """Return how a Content-Security-Policy names ``code``."""
    return f"sha256-{b64encode(sha256(code.encode()).digest()).decode()}"


def _sections(review: Review) -> Iterable[Html]:
    names = Names(each.subject for each in _parts(review))
    rows = Rows(review, names)
    yield _verdict(review)
    yield _glance(review)
    if not review.is_empty:
        yield _overview(review, names)
    elif review.reasons:
        yield section("reasons", "Reasons", reasons(review.reasons, names))
    if review.functions:
        yield section("functions", "Functions", rows.functions())
    if review.layers:
        yield section("layers", "Layers", rows.layers())
    if review.drift:
        title = "Drift: changed outside Terraform, not by this plan"
        yield section("drift", title, drift(review.drift, names), class_="drift")
    if not review.is_empty:
        heading = tag("h2", f"All {many(len(review.resources), 'resource')} of the plan", id="resources-title")
        lines = resources(review.resources, review.outputs, has_stacks=bool(review.stacks))
        inside = tag("details", tag("summary", heading), lines, class_="big")
        yield tag("section", inside, id="resources", aria_labelledby="resources-title")
    if review.commands and not review.is_empty:
        yield section("commands", "The same with Terraform alone", *_commands(review.commands))


def _parts(review: Review) -> tuple[FunctionReview | LayerReview, ...]:
    return (*review.functions, *review.layers)


def _verdict(review: Review) -> Html:
    count, thing = len(review.functions) or len(review.resources), "function" if review.functions else "resource"
    head = f"{many(count, thing)} {'changes' if count == 1 else 'change'} in {review.env}"
    word, lead = review.verdict.capitalize(), _MEANING[review.verdict]
    if review.is_empty:
        head = f"Nothing changes in {review.env}"
        lead = "Terraform has nothing to do: what it looks after is as this commit describes it."
    return tag(
        "section",
        tag("h1", icon(review.verdict), tag("b", word, _COLON), " ", head, id="verdict-title"),
        tag("p", lead),
        _facts(review),
        id="verdict",
        class_=f"verdict {review.verdict}",
        aria_labelledby="verdict-title",
    )


def _facts(review: Review) -> Html:
    counts = Counter(each.change for each in review.functions)
    functions = [f"{counts[change]} {change}" for change in Change if counts[change]]
    lines = [f"{review.count(change)} {change}" for change in Change if review.count(change)]
    compare = [" · ", link(review.compare_url, "compare with what runs")] if review.compare_url else []
    facts: dict[str, list[str]] = {
        "Functions": [", ".join([*functions, f"{review.unchanged} untouched"])],
        "Resources": [", ".join(lines)],
        "Planned": [_time(review.at)],
        "Commit": [_commit(review.commit, review.commit_url), *compare],
        "Runs now": list(_running(review.running)),
    }
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", *value)) for name, value in facts.items() if any(value)),
        class_="facts",
    )


def _running(running: Running | None) -> Iterable[str]:
    if not running:
        return ["nothing was released yet"]
    unclean = " with changes that no commit holds" if running.dirty else ""
    return ["release ", tag("code", running.id), ", commit ", _commit(running.commit, running.url), unclean]


def _time(at: str) -> Html:
    return tag("time", f"{at[:10]} {at[11:16]} UTC", datetime=at)


def _commit(commit: str | None, url: str | None) -> Html:
    return tag("code", link(url, commit[:12])) if commit else text("no commit")


def _glance(review: Review) -> Html:
    """Return the way to every section, with what it counts."""
    gained = sum(each.gained for each in review.grants)
    parts = _parts(review)
    steps = {(each.name, each.before, each.after) for part in parts if part.code for each in part.code.dependencies}
    counts: dict[str, int | str] = {
        "reasons": len(grouped(review.reasons)),
        "lost": len(review.losses),
        "permissions": f"+{gained} −{len(review.grants) - gained}" if review.grants else 0,
        "dependencies": len(steps),
        "public": len(review.public),
        "interruptions": len(review.interruptions),
        "cost": COST[review.costs.direction] if review.costs.items else 0,
        "functions": len(review.functions),
        "layers": len(review.layers),
        "drift": len(review.drift),
        "resources": len(review.resources),
    }
    places = [
        tag("li", tag("a", name.capitalize(), " ", tag("b", str(count)), href=f"#{name}"))
        for name, count in counts.items()
        if count
    ]
    return tag("nav", tag("ul", *places), aria_label="Sections") if len(places) > 2 else Html()


def _overview(review: Review, names: Names) -> Html:
    lost = section("lost", "What is lost", losses(review.losses, names)) if review.losses else ""
    open_now = notes(review.public, names, Verdict.DANGEROUS)
    public = section("public", "Public from now on", open_now) if review.public else ""
    stops = notes(review.interruptions, names, Verdict.LOOK)
    interruptions = section("interruptions", "Interruptions", stops) if review.interruptions else ""
    cost = section("cost", "Cost", costs(review.costs, names)) if review.costs.items else ""
    calm = {
        "Nothing is destroyed": lost,
        "Nothing becomes public": public,
        "Nothing is interrupted": interruptions,
        "No price changes": cost,
        "Nothing was changed outside Terraform": review.drift,
    }
    quiet = [tag("li", icon(Verdict.SAFE), sentence) for sentence, found in calm.items() if not found]
    also = section("also", "Looked at, and nothing found", tag("ul", *quiet, class_="quiet")) if quiet else ""
    rights = section("permissions", "Permissions gained and lost", permissions(review.grants, names))
    steps = section("dependencies", "Dependencies", dependencies(_parts(review), names))
    return tag(
        "div",
        tag("div", section("reasons", "Reasons", reasons(review.reasons, names)), lost, also),
        tag("div", rights, steps),
        tag("div", public, interruptions, cost) if public or interruptions or cost else "",
        class_="overview",
    )


def _commands(commands: Iterable[str]) -> Iterable[Html]:
    yield tag("pre", tag("code", Html("\n".join(text(command) for command in commands)), id="shell"))
    button = tag("button", "Copy", type="button", id="copy")
    yield tag("div", button, tag("output", id="copied", class_="soft"), id="copying", class_="copy", hidden=True)


def _footer(review: Review) -> Html:
    return tag("p", "Digest of the change, equal for the same change: ", tag("code", review.digest))
