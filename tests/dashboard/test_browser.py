"""The dashboard in a real Chromium: nothing is refused by its own policy, nothing is asked elsewhere, keys are enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from made_site import Site
from madeup import NASTY, TOKEN
from running import until

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from browsing import CONTRAST, Visit, started, visiting
from playwright.sync_api import Browser, Page, expect, sync_playwright

PAGES = ["", "/routes/support-chat", "/entries", "/entries/e0003", "/denied", "/purge", "/lookup", "/configuration"]
PAINTED = """(id) => {
  const canvas = document.querySelector(`#${id} canvas`);
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(pixels.buffer)).size;
}"""
"""How many colours a chart has; one where nothing is drawn."""


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright, started(playwright, chromium) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, site: Callable[..., Site]) -> Iterator[Visit]:
    with visiting(browser, site()) as visit:
        visit.sign_in()
        yield visit


def tab_to(page: Page, wanted: Callable[[dict[str, Any]], bool], most: int = 60) -> None:
    """Press Tab until what has the focus is wanted."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "() => ({text: document.activeElement.textContent.trim(), tag: document.activeElement.tagName,"
            " outline: getComputedStyle(document.activeElement).outlineStyle, id: document.activeElement.id})"
        )
        assert focused["outline"] != "none", f"the focus cannot be seen on {focused}"
        if wanted(focused):
            return
    raise AssertionError("no way there by the Tab key")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_readable_in_both_schemes(browser: Browser, site: Callable[..., Site], scheme: str) -> None:
    with visiting(browser, site(), color_scheme=scheme) as visit:
        visit.sign_in()
        for path in PAGES:
            page = visit.open(path)
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
            assert page.evaluate(CONTRAST) == [], path


def test_the_way_in_is_readable_in_both_schemes(browser: Browser, site: Callable[..., Site]) -> None:
    for scheme in ("light", "dark"):
        with visiting(browser, site(), color_scheme=scheme) as visit:
            assert visit.open("/sign-in").evaluate(CONTRAST) == []


@pytest.mark.parametrize("script", ["down broken", "idle"])
def test_what_is_wrong_or_not_there_yet_is_readable(browser: Browser, site: Callable[..., Site], script: str) -> None:
    for scheme in ("light", "dark"):
        with visiting(browser, site(*script.split()), color_scheme=scheme) as visit:
            assert visit.sign_in().evaluate(CONTRAST) == []
            assert visit.open("/configuration").evaluate(CONTRAST) == []


def test_four_hundred_pixels_are_wide_enough(browser: Browser, site: Callable[..., Site]) -> None:
    with visiting(browser, site(), viewport={"width": 400, "height": 800}) as visit:
        visit.sign_in()
        for path in PAGES:
            page = visit.open(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_every_page_names_its_parts(visit: Visit) -> None:
    for path in PAGES:
        page = visit.open(path)
        expect(page.get_by_role("banner")).to_have_count(1)
        expect(page.get_by_role("main")).to_have_count(1)
        expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert page.title().endswith("· semgate")
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter((each) => !each.labels.length)"
            ".map((each) => each.name)"
        )
        assert unnamed == []
        doubles = page.evaluate(
            "[...document.querySelectorAll('[id]')].map((each) => each.id).filter((id, nth, all) => all.indexOf(id) !== nth)"
        )
        assert doubles == []
        missing = page.evaluate(
            "[...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].flatMap((each) =>"
            " `${each.getAttribute('aria-labelledby') || ''} ${each.getAttribute('aria-describedby') || ''}`.trim().split(/ +/))"
            ".filter((id) => !document.getElementById(id))"
        )
        assert missing == []


def test_with_keys_alone_from_signing_in_to_a_purge(browser: Browser, site: Callable[..., Site]) -> None:
    with visiting(browser, site("keys")) as visit:
        page = visit.open("/sign-in")
        expect(page.get_by_label("Admin token")).to_be_focused()
        page.keyboard.type(TOKEN)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Overview", exact=True).wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        tab_to(page, lambda focused: focused["id"] == "pause")
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Paused")).to_have_attribute("aria-pressed", "true")
        tab_to(page, lambda focused: focused["tag"] == "SUMMARY")
        page.keyboard.press("Enter")
        expect(page.get_by_role("table").first).to_be_visible()

        page.reload()
        tab_to(page, lambda focused: focused["tag"] == "A" and focused["text"] == "Purge")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Purge", exact=True).wait_for()
        tab_to(page, lambda focused: focused["id"] == "tags")
        page.keyboard.type("doc:handbook")
        tab_to(page, lambda focused: focused["text"] == "Count what fits")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("39 entries fit")
        tab_to(page, lambda focused: focused["text"] == "Purge them")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("39 entries are purged")


def test_the_browser_enforces_the_policy(visit: Visit) -> None:
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=color:red onclick=alert(1)>x</p>')")
    until(lambda: len(visit.violations()) >= 2, "styles and scripts of a page's own are let through")
    visit.page.reload()
    assert visit.troubles
    visit.troubles.clear()


def test_text_that_is_hard_to_read_is_noticed(visit: Visit) -> None:
    visit.page.evaluate("document.querySelector('h1').style.color = '#aaa'")
    assert [found[0] for found in visit.page.evaluate(CONTRAST)] == ["H1"]


def test_charts_are_drawn_and_say_what_the_cursor_is_on(visit: Visit) -> None:
    page = visit.page
    for name in [
        "plot-traffic",
        "plot-hit-rate",
        "plot-savings",
        "plot-similarity",
        "plot-seconds-hit",
        "plot-seconds-error",
    ]:
        assert page.evaluate(PAINTED, name) > 3, name
    page.locator("#plot-seconds-hit").scroll_into_view_if_needed()
    box = page.locator("#plot-seconds-hit .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.15, box["y"] + box["height"] / 2)
    expect(page.locator("#plot-seconds-hit .u-legend")).to_contain_text("ms")


def test_charts_follow_the_width_of_the_window_and_the_scheme(visit: Visit) -> None:
    page = visit.page
    wide = page.evaluate("document.querySelector('#plot-traffic canvas').clientWidth")
    page.set_viewport_size({"width": 400, "height": 900})
    until(lambda: page.evaluate("document.querySelector('#plot-traffic canvas').clientWidth") < wide, "it stays wide")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(color_scheme="dark")
    until(lambda: page.evaluate(PAINTED, "plot-traffic") > 3, "it is not drawn")


def test_the_overview_stays_current_and_leaves_the_reader_alone(visit: Visit) -> None:
    page = visit.page
    page.locator("#open-traffic").click()
    page.evaluate(
        "document.querySelector('#scroll-traffic').scrollTop = 120; window.before = document.querySelector('#plot-traffic canvas')"
    )
    page.locator("#to-faq").focus()
    page.wait_for_timeout(700)
    page.evaluate("window.shift = 0")  # opening the table did move what is below it
    page.evaluate("document.getElementById('live').dataset.old = 'yes'")
    until(lambda: not page.evaluate("document.getElementById('live').dataset.old"), "it is not made current")
    assert page.evaluate("document.activeElement.id") == "to-faq"
    assert page.locator("#table-traffic").get_attribute("open") is not None
    assert page.evaluate("document.querySelector('#scroll-traffic').scrollTop") == 120
    assert page.evaluate("window.before === document.querySelector('#plot-traffic canvas')"), "the chart was made anew"
    assert page.evaluate(PAINTED, "plot-traffic") > 3
    assert page.evaluate("window.shift") < 0.02


@pytest.mark.parametrize("how", ["paused", "selecting"])
def test_the_overview_does_not_change_while_it_is_paused_or_being_copied_from(visit: Visit, how: str) -> None:
    page = visit.page
    page.clock.install()  # its clock can be moved on
    visit.open("")
    page.evaluate("document.getElementById('live').dataset.old = 'yes'")
    page.clock.fast_forward(6000)
    until(lambda: not page.evaluate("document.getElementById('live').dataset.old"), "it is not made current")
    if how == "paused":
        page.get_by_role("button", name="Pause").click()
    else:
        page.evaluate("document.getSelection().selectAllChildren(document.querySelector('.card'))")
    page.wait_for_timeout(300)
    asked = len(visit.requests)
    for _ in range(3):
        page.clock.fast_forward(6000)
        page.wait_for_timeout(100)
    assert len(visit.requests) == asked


def test_nothing_moves_while_a_page_loads(visit: Visit) -> None:
    for path in PAGES:
        page = visit.open(path)
        page.wait_for_timeout(300)
        assert page.evaluate("window.shift") < 0.02, path


def test_a_question_is_looked_up_in_place(visit: Visit) -> None:
    page = visit.open("/lookup")
    page.get_by_label("Route").select_option("support-chat")
    page.get_by_label("The words of a question").fill("How can I change my password?")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("status")).to_contain_text("give a scope")
    page.get_by_label("Scope").fill("acme")
    page.get_by_role("button", name="Look up").click()
    expect(page.get_by_role("status")).to_contain_text("verified")
    expect(page.get_by_role("status")).to_contain_text(NASTY)
    assert page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert page.get_by_label("The words of a question").input_value() == "How can I change my password?"


def test_an_entry_is_found_and_removed(browser: Browser, site: Callable[..., Site]) -> None:
    with visiting(browser, site("keys")) as visit:
        visit.sign_in()
        page = visit.open("/entries")
        page.get_by_label("Find by id or by words").fill("e0007")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("button", name="Remove this entry").click()
        expect(page.get_by_role("status")).to_contain_text("e0007")


def test_without_scripts_everything_works(browser: Browser, site: Callable[..., Site]) -> None:
    with visiting(browser, site(), java_script_enabled=False) as visit:
        page = visit.sign_in()
        expect(page.get_by_role("button", name="Pause")).to_be_hidden()
        expect(page.locator("#plot-traffic")).to_be_hidden()
        page.locator("#open-traffic").click()
        expect(page.locator("#scroll-traffic")).to_be_visible()
        page = visit.open("/purge")
        page.get_by_role("button", name="Count what fits").click()
        expect(page.get_by_role("status")).to_contain_text("entries fit")
        page = visit.open("/lookup")
        page.get_by_label("Route").select_option("faq")
        page.get_by_label("The words of a question").fill("How?")
        page.get_by_role("button", name="Look up").click()
        expect(page.get_by_role("status")).to_contain_text("verified")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Admin token")).to_be_visible()


def test_a_session_that_ended_meanwhile_leads_to_the_form(browser: Browser, site: Callable[..., Site]) -> None:
    visited = site()
    with visiting(browser, visited) as visit:
        page = visit.sign_in()
        page.clock.install()
        visit.open("")
        page.context.clear_cookies()
        page.clock.fast_forward(6000)
        page.get_by_label("Admin token").wait_for()  # the next refresh was refused, and the page loaded again
        assert [trouble for trouble in visit.troubles if "401" not in trouble] == []
        visit.troubles.clear()
