"""The page of `invoke metrics --html`: one file that loads nothing and needs no script."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from string import Template

from build.metrics.plots import dots, spark, strip, weekly
from build.metrics.words import Headline, compared, headlines
from build.release.figures import Figures, Incident, spoken
from build.review.page_markup import Html, fold, joined, many, row, table, tag, text

_PAGE = Path(__file__).with_name("page.html")
_STYLE = Path(__file__).with_name("page.css")
_MOST_INCIDENTS = 20


def page(figures: Figures, repository: str, env: str) -> str:
    """Return the page as HTML: the same for the same figures, with no request to anything."""
    style = _STYLE.read_text(encoding="utf-8")
    title = f"Releases of {repository} to {env}"
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=text(title),
        heading=text(title),
        about=joined(_words(_about(figures, env))),
        style=style,
        style_source=f"sha256-{b64encode(sha256(style.encode()).digest()).decode()}",
        main=joined(_main(figures)),
    )


def _about(figures: Figures, env: str) -> str:
    at = f"at {figures.at[:16].replace('T', ' ')} UTC"
    if not figures.releases:
        return f"The ledger is empty {at}; `invoke deploy --env {env}` writes its first row."
    since = f"{many(figures.releases, 'release')} since {figures.first[:10]}"
    return f"{since}, as the ledger had them {at}. Every figure says what it was made from."


def _main(figures: Figures) -> Iterator[Html]:
    cards = {each.key: _card(each, *_plot(each.key, figures)) for each in headlines(figures)}
    stages = cards.pop("stages")
    yield tag("div", *cards.values(), class_="cards")
    yield stages
    if figures.incidents:
        newest = [_incident(each) for each in reversed(figures.incidents)]
        heads = ("Release", "Began", "Lasted", "Restored by", "Why")
        shown = table("Incidents, the newest first", heads, newest[:_MOST_INCIDENTS])
        rest = table("Older incidents", heads, newest[_MOST_INCIDENTS:])
        more = len(newest) - _MOST_INCIDENTS
        inside = [
            _scroll(shown, "Incidents"),
            fold(f"{more} older", _scroll(rest, "Older incidents")) if more > 0 else "",
        ]
        title = tag("h2", many(len(newest), "incident"), id="incidents-title")
        yield tag("section", title, *inside, id="incidents", aria_labelledby="incidents-title")


def _card(each: Headline, *inside: str) -> Html:
    title = tag("h2", each.title, id=f"{each.key}-title")
    value, meaning = tag("p", each.value, class_="value"), tag("p", *_words(each.meaning), class_="meaning")
    return tag("section", title, value, *inside, meaning, id=each.key, aria_labelledby=f"{each.key}-title")


def _words(meaning: str) -> list[str]:
    """Return a sentence with its commands in type of their own."""
    return [tag("code", part) if number % 2 else part for number, part in enumerate(meaning.split("`"))]


def _plot(key: str, figures: Figures) -> Iterator[Html]:
    """Yield what is drawn of a figure; nothing where there is nothing to draw."""
    shares = {
        "failures": figures.failures,
        "rollbacks": figures.rollbacks,
        "pins": figures.pins,
        "verified": figures.verified,
        "rebuilt": figures.rebuilt,
    }
    if key in shares:
        yield strip(shares[key])
    if key == "restore" and len(figures.restored) > 1:
        yield dots(figures.restored, len(figures.restored), "incidents that are over")
    if key == "deploys" and figures.releases:
        words = ("finished", "failed or went back")
        yield weekly(figures.weeks, [(each.finished, each.failed) for each in figures.weeks], words)
        yield joined(_key(css, word) for css, word in zip(("good", "bad"), words, strict=True))
        rows = [row(each.begins, str(each.finished), str(each.failed), str(each.pins)) for each in figures.weeks]
        heads = ("Week of", "Finished", "Failed or went back", "Distributions changed")
        yield fold("the same as a table", _scroll(table("Deploys by week", heads, rows), "Deploys by week"))
    if key == "pins" and figures.pins.of:
        yield weekly(figures.weeks, [(each.pins, 0) for each in figures.weeks], ("distributions changed", ""))
    if key == "stages" and figures.deploys:
        yield from _stages(figures)


def _stages(figures: Figures) -> Iterator[Html]:
    plot: list[str] = [dots([seconds for _, seconds in figures.deploys], figures.split, "deploys")]
    if figures.since:
        plot.append(tag("p", f"The dashed line is where release {figures.since} begins.", class_="soft"))
    sides = (f"before {figures.since}", f"since {figures.since}") if figures.since else ()
    heads = ("Stage", "Median", "Deploys", *(side.capitalize() for side in sides), "Older to newer")
    rows = [
        row(
            each.name,
            spoken(each.median),
            str(len(each.seconds)),
            *(compared(each) if sides else ()),
            spark(each.seconds),
        )
        for each in figures.stages
    ]
    lines = _scroll(table("Stages of a deploy", heads, rows, class_="stages"), "Stages of a deploy")
    yield tag("div", tag("div", *plot), lines, class_="wide")


def _incident(each: Incident) -> Html:
    began = tag("time", f"{each.at[:10]} {each.at[11:16]}", datetime=each.at)
    lasted = tag("b", "not restored") if each.seconds is None else spoken(each.seconds)
    return row(each.release, began, lasted, each.restored_by, tag("span", each.why, class_="why"))


def _key(css: str, word: str) -> Html:
    inside = tag("svg", tag("rect", class_=css, width="12", height="12"), aria_hidden="true")
    return tag("span", inside, word, class_="key")


def _scroll(inside: Html, label: str) -> Html:
    return tag("div", inside, class_="scroll", tabindex="0", role="group", aria_label=label)
