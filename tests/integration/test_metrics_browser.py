"""The page of metrics in a real Chromium: that it stays by itself, fits, and can be read in light and dark."""

from datetime import timedelta

import pytest

from build.metrics.page import page
from build.release.figures import figures_of
from tests.browser import A_MOMENT, CHROMIUM, CONTRASTS, OPEN_ALL, SAID, Browser
from tests.releases import BEGIN, history

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")]

COUNTS = [0, 1, 40, 500]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("home"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("pages"), {}
    for count in COUNTS:
        rows = history(count)
        figures = figures_of(rows, (), now=BEGIN + timedelta(days=80), since=rows[count // 2] if rows else None)
        found[count] = folder / f"{count}.html"
        found[count].write_text(page(figures, "shop", "prod"), encoding="utf-8", newline="\n")
    return found


@pytest.mark.parametrize("count", COUNTS)
def test_a_page_asks_for_nothing_complains_about_nothing_and_fits_any_screen(browser, places, count):
    for width in (320, 400, 800, 1400, 2000):
        browser.look(width)
        browser.open(places[count])
        browser.run(OPEN_ALL)
        browser.run(A_MOMENT)
        asked = [each["params"] for each in browser.events if each["method"] == "Network.requestWillBeSent"]
        assert {each["request"]["url"].partition(":")[0] for each in asked} <= {"file", "data"}
        assert [each for each in browser.events if each["method"] in SAID] == []
        assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(browser, places, scheme):
    browser.look(scheme=scheme)
    browser.open(places[40])
    browser.run(OPEN_ALL)
    found = browser.run(CONTRASTS)
    assert len(found) > 2
    assert {colours: ratio for colours, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("width", [400, 1400])
def test_the_words_in_plots_are_as_large_as_those_around_them(browser, places, width):
    browser.look(width)
    browser.open(places[40])
    heights = browser.run("[...document.querySelectorAll('text')].map((each) => each.getBoundingClientRect().height)")
    assert len(heights) > 20
    assert all(11 < height < 26 for height in heights)


def test_a_screen_reader_meets_sections_with_names_plots_with_words_and_tables(browser, places):
    browser.look()
    browser.open(places[40])
    tree = [each for each in browser.ask("Accessibility.getFullAXTree")["nodes"] if not each["ignored"]]
    names = [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in tree]
    regions = {name for role, name in names if role == "region"}
    assert {"Time to restore", "Change failure rate", "Deploys per week", "Duration of a deploy"} <= regions
    plots = [name for role, name in names if role in {"image", "img"}]
    assert len(plots) == 4
    assert all("weeks" in name or "median" in name for name in plots)
    assert {name for role, name in names if role == "table"} >= {"Stages of a deploy", "Incidents, the newest first"}
