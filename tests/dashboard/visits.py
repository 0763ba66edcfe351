"""A browser without scripts that visits the dashboard, and what it gets to see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from litestar.testing import TestClient
from made_site import app_over
from madeup import TOKEN, MadeUp

PAGES = [
    "",
    "/routes/faq",
    "/routes/embeddings",
    "/entries",
    "/entries/e0003",
    "/denied",
    "/purge",
    "/lookup",
    "/configuration",
]
POSTS = ["/sign-out", "/entries/find", "/entries/e0001/remove", "/purge", "/lookup", "/configuration/reload"]
HOME = "/-/ui"


class Visit:
    """A browser that follows no redirect by itself, with what the gateway behind it was asked."""

    def __init__(self, http: TestClient, operations: MadeUp) -> None:
        self.http = http
        self.operations = operations

    def get(self, path: str = "", **more: object):  # type: ignore[no-untyped-def]
        return self.http.get(HOME + path, follow_redirects=False, **more)

    def post(self, path: str, fields: dict[str, str] | None = None, **more: object):  # type: ignore[no-untyped-def]
        return self.http.post(HOME + path, data=fields or {}, follow_redirects=False, **more)

    def sign_in(self) -> Visit:
        assert self.post("/sign-in", {"token": TOKEN}).status_code == 303
        return self

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get().text)
        assert found
        return found[1]


def visiting(**script: bool) -> Iterator[Visit]:
    operations = MadeUp(**script)
    with TestClient(app_over(operations), raise_server_exceptions=False) as http:
        yield Visit(http, operations)


class Elements(HTMLParser):
    """All start tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data
