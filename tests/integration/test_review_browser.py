"""The page of the plan review in a real Chromium, driven over a pipe: how it looks, and that it stays by itself."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from build.review.page import page
from tests.browser import A_MOMENT, CHROMIUM, CONTRASTS, OPEN_ALL, SAID, Browser
from tests.review_samples import empty, sample

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")]

LONG = "x" * 10_000
ROWS = "[...document.querySelectorAll('#functions .rows > tbody > tr')]"
SHOWN_ROWS = f"{ROWS}.filter((row) => row.checkVisibility()).length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("home"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Pages of every size, an empty one, and one of texts that nobody should write."""
    full = sample(8)
    long = replace(
        full,
        env=LONG[:90],
        reasons=tuple(replace(each, text=LONG) for each in full.reasons),
        grants=tuple(replace(each, text=f"may now {LONG[:300]} {LONG}") for each in full.grants),
        resources=tuple(replace(each, address=LONG[:390]) for each in full.resources),
        functions=tuple(
            replace(each, function_name=LONG[:390], code=each.code and replace(each.code, is_known=False))
            for each in full.functions
        ),
        commands=(LONG,),
    )
    reviews = {"1": sample(1), "30": sample(30), "300": sample(300), "empty": empty(), "long": long}
    folder = tmp_path_factory.mktemp("pages")
    for name, review in reviews.items():
        (folder / f"{name}.html").write_text(page(review), encoding="utf-8", newline="\n")
    return {name: folder / f"{name}.html" for name in reviews}


@pytest.mark.parametrize("name", ["1", "30", "300", "empty", "long"])
def test_a_page_asks_for_nothing_and_complains_about_nothing(browser, places, name):
    browser.look()
    browser.open(places[name])
    browser.run(OPEN_ALL)
    browser.run(A_MOMENT)
    asked = [each["params"] for each in browser.events if each["method"] == "Network.requestWillBeSent"]
    assert {each["request"]["url"].partition(":")[0] for each in asked} <= {"file", "data"}
    assert [each for each in browser.events if each["method"] in SAID] == []


@pytest.mark.parametrize("name", ["30", "long"])
def test_a_browser_builds_the_elements_that_were_written(browser, places, name):
    """It mends silently: a <details> in a <p>, a row outside a table."""
    browser.look(scripts=False)
    browser.open(places[name])
    browser.look()
    script = "Object.fromEntries(Map.groupBy(document.querySelectorAll('*'), (e) => e.localName).entries().map("
    built = browser.run(f"{script}([name, all]) => [name, all.length]))")
    written = Counter(re.findall(r"<([a-z][a-z0-9]*)[ >/]", places[name].read_text("utf-8")))
    assert built == written


@pytest.mark.parametrize("width", [320, 360, 800, 1400, 2000])
@pytest.mark.parametrize("name", ["30", "long"])
def test_nothing_sticks_out_at_any_width_also_when_all_is_opened(browser, places, name, width):
    browser.look(width)
    browser.open(places[name])
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.run(OPEN_ALL)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_versions_and_permissions_that_change_are_on_the_first_screen(browser, places):
    browser.look(1400, 900)
    for name in ("1", "30", "300"):
        browser.open(places[name])
        for words in ("1.10.22", "dynamodb:PutItem", "dynamodb:Scan"):
            path = f'//*[text()[contains(., "{words}")]]'
            found = f"document.evaluate('.{path}', document.querySelector('.overview > :nth-child(2)'))"
            assert browser.run(f"{found}.iterateNext().getBoundingClientRect().bottom") < 900, (name, words)


def typed(browser, field, text):
    """Type into a field as a person does."""
    browser.run(f"document.getElementById('{field}').select()")
    browser.ask("Input.insertText", text=text)


def test_the_table_is_filtered_by_text_kind_and_danger(browser, places):
    browser.look()
    browser.open(places["300"])
    assert browser.run(SHOWN_ROWS) == 300
    typed(browser, "find", "order_book.PY orders")
    assert browser.run(SHOWN_ROWS) == 1
    assert browser.run("document.getElementById('count').textContent") == "1 of 300 shown"
    typed(browser, "find", " ")
    browser.run("kind.value = 'triggers'; kind.onchange()")
    assert browser.run(SHOWN_ROWS) == 3
    browser.run("only.click()")
    assert browser.run(SHOWN_ROWS) == 2
    browser.run("kind.selectedIndex = 0; kind.onchange(); all.click()")
    assert browser.run("document.querySelectorAll('.what[open]').length") == 2


def test_a_link_to_a_function_opens_it_also_when_it_was_filtered_away(browser, places):
    browser.look()
    browser.open(places["30"])
    typed(browser, "find", "mailer-2")
    browser.run("document.querySelector('a[href=\"#functions/orders\"]').click()")
    browser.run(A_MOMENT)
    row = "document.getElementById('functions/orders')"
    assert browser.run(f"{row}.closest('details').open && {row}.checkVisibility()")
    assert 0 <= browser.run(f"{row}.closest('tr').getBoundingClientRect().top") < 900
    browser.open(places["30"], "#functions/orders")
    assert browser.run(f"{row}.closest('details').open")


@pytest.mark.parametrize("width", [320, 1400])
def test_what_an_import_takes_is_seen_behind_the_row_and_what_is_new_is_folded(browser, places, width):
    browser.look(width)
    browser.open(places["30"], "#functions/orders")
    titles = "[...document.getElementById('functions/orders').querySelectorAll('h3')]"
    block = f"{titles}.find((title) => title.textContent === 'Import time').parentElement"
    assert re.match(r"Import time\s+0\.21 s\s*→", browser.run(f"{block}.checkVisibility() && {block}.innerText"))
    fold = "[...document.querySelectorAll('#dependencies details')].find((e) => e.innerText.includes('is new'))"
    assert "httpx" not in browser.run("document.getElementById('dependencies').innerText")
    browser.run(f"{fold}.querySelector('summary').click()")
    assert "httpx" in browser.run("document.getElementById('dependencies').innerText")


def test_everything_is_there_without_scripts(browser, places):
    browser.look(scripts=False)
    browser.open(places["30"])
    tree = browser.ask("Accessibility.getFullAXTree")["nodes"]
    browser.look()
    shown = [(each["role"]["value"], each["name"]["value"]) for each in tree if not each["ignored"] and "name" in each]
    assert sum(role == "rowheader" and name.startswith("orders") for role, name in shown) == 3
    assert not any(role in {"searchbox", "button"} for role, _ in shown)


@pytest.mark.parametrize("width", [360, 1400])
def test_a_screen_reader_meets_landmarks_and_tables(browser, places, width):
    browser.look(width)
    browser.open(places["30"])
    tree = [each for each in browser.ask("Accessibility.getFullAXTree")["nodes"] if not each["ignored"]]
    roles = [each["role"]["value"] for each in tree]
    assert {"banner", "navigation", "main", "contentinfo", "search", "columnheader", "rowheader", "cell"} <= {*roles}
    heads = {each["name"]["value"].split()[0] for each in tree if each["role"]["value"] == "rowheader"}
    assert {"pydantic", "data", *(each.name for each in sample(30).functions)} <= heads
    names = {each["name"]["value"] for each in tree if each["role"]["value"] == "table"}
    assert {"Functions that change", "Dependencies that change", "Layers that change"} <= names
    nameless = {"textbox", "searchbox", "combobox", "checkbox", "radio", "button", "link", "table", "region"}
    assert [each for each in tree if each["role"]["value"] in nameless and not each["name"]["value"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["30", "empty"])
def test_all_text_stands_out_from_what_is_behind_it(browser, places, name, scheme):
    browser.look(scheme=scheme)
    browser.open(places[name])
    browser.run(OPEN_ALL)
    found = browser.run(CONTRASTS)
    assert len(found) > 5
    assert {colours: ratio for colours, ratio in found.items() if ratio < 4.5} == {}


def paper(browser):
    return browser.run("getComputedStyle(document.body).backgroundColor")


def test_dark_follows_the_system_and_the_choice_on_the_page_is_kept(browser, places):
    browser.look()
    browser.open(places["1"])
    light = paper(browser)
    browser.look(scheme="dark")
    dark = paper(browser)
    assert light != dark
    browser.run("document.getElementById('theme-light').click()")
    assert paper(browser) == light
    browser.open(places["1"])
    assert paper(browser) == light
    browser.run("document.getElementById('theme-auto').click()")
    assert paper(browser) == dark


def test_the_keyboard_reaches_everything_and_one_sees_where_it_is(browser, places):
    browser.look()
    browser.open(places["1"])
    met = []
    for _ in range(60):
        for kind in ("rawKeyDown", "keyUp"):
            browser.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        place = "document.activeElement.closest('body > *')"  # none: it left the page at its end
        where = browser.run(f"{place} && (document.activeElement.id || document.activeElement.textContent.trim())")
        style = "getComputedStyle(document.activeElement.closest('label') ?? document.activeElement).outline"
        met.append((where, browser.run(style)))
    assert met[0][0] == "Skip to the verdict"
    words = {word for word, _ in met}
    assert {"theme-auto", "Functions 1", "functions/orders", "All 3 resources of the plan", "copy"} <= words
    assert {word for word, outline in met if re.search(r"\bnone\b|\b0px", outline)} <= {None}


def test_paper_has_what_is_folded_on_white(browser, places):
    browser.look(718, scheme="dark", media="print")
    browser.open(places["30"])
    assert paper(browser) == "rgb(255, 255, 255)"
    names = "document.querySelector('#dependencies .fold')"
    assert browser.run(f"!{names}.open && {names}.clientHeight - {names}.firstElementChild.clientHeight") > 10
    assert not browser.run("document.querySelector('nav').checkVisibility()")
    assert browser.run("document.documentElement.scrollWidth") <= 718


def test_the_commands_are_selected_to_be_copied(browser, places):
    browser.look()
    browser.open(places["1"])
    browser.run("copy.click()")
    browser.run(A_MOMENT)
    chosen = browser.run("getSelection().toString()")
    assert chosen.splitlines() == list(sample(1).commands)
    copied = browser.run("document.getElementById('copied').textContent")
    assert copied in {"Copied", "Selected: copy it with the keyboard"}


def test_a_script_that_got_into_the_page_would_not_run(browser, places, tmp_path):
    text = places["1"].read_text("utf-8")
    broken = tmp_path / "broken.html"
    evil = "<script>document.title = 'evil'</script><p style='position: fixed' onclick='0' id='evil'>"
    broken.write_text(text.replace("</main>", f"{evil}</main>"), encoding="utf-8")
    browser.look()
    browser.open(broken)
    assert browser.run("document.title") == "Dangerous: plan review of shop for prod"
    assert browser.run("getComputedStyle(document.getElementById('evil')).position") == "static"
    refused = [each for each in browser.events if each["method"] == "Log.entryAdded"]
    assert len(refused) >= 2


def test_three_hundred_functions_open_fast(browser, places):
    browser.look()
    browser.ask("Performance.enable", timeDomain="threadTicks")  # what others do on this machine does not count
    browser.open(places["300"])
    spent = {each["name"]: each["value"] for each in browser.ask("Performance.getMetrics")["metrics"]}
    assert 0 < spent["TaskDuration"] < 3  # seconds; 0.6 where it was written
