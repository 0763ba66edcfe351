"""A real Chromium on the dashboard, and everything it complained about or fetched on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from made_site import Site
from madeup import TOKEN
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (one) => window.violations.push(
  one.violatedDirective + ' ' + one.blockedURI + ' ' + one.sourceFile + ':' + one.lineNumber));
window.shift = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
CONTRAST = """
() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * (top[3] ?? 1) + under[i] * (1 - (top[3] ?? 1)));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      layers.push(colour);
      if ((colour[3] ?? 1) === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const said = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(element);
    if (!said || style.visibility === 'hidden' || !element.getClientRects().length) continue;
    const under = ground(element);
    const [one, two] = [light(over(channels(style.color), under)), light(under)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push([element.tagName, element.className, element.textContent.slice(0, 30), ratio]);
  }
  return found;
}
"""
"""Text whose contrast with what is under it is below WCAG 2.2 AA (1.4.3)."""


class Visit:
    """A page of the dashboard in a context of its own. `troubles` are messages of the console, errors of scripts and
    requests to other hosts; at the end there must be none."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.troubles: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        page.on("request", self._asked)
        page.add_init_script(WATCH)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)
        if urlsplit(request.url).netloc != urlsplit(self.site.home).netloc and not request.url.startswith("data:"):
            self.troubles.append(f"another host: {request.url}")

    def sign_in(self) -> Page:
        self.page.goto(f"{self.site.home}/sign-in")
        self.page.get_by_label("Admin token").fill(TOKEN)
        self.page.keyboard.press("Enter")
        self.page.get_by_role("heading", name="Overview", exact=True).wait_for()
        self.page.wait_for_load_state("load")  # scripts have run
        return self.page

    def open(self, path: str) -> Page:
        self.page.goto(self.site.home + path)
        return self.page

    def violations(self) -> list[str]:
        found: list[str] = self.page.evaluate("window.violations")
        return found


@contextmanager
def visiting(browser: Browser, site: Site, **context: Any) -> Iterator[Visit]:
    """Ends with the assertion that nothing went wrong meanwhile."""
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    opened.set_default_timeout(30_000)
    visit = Visit(opened.new_page(), site)
    try:
        yield visit
        if context.get("java_script_enabled", True):
            assert visit.violations() == []
        assert visit.troubles == []
    finally:
        opened.close()


@contextmanager
def started(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()
