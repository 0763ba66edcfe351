"""The dashboard of a real gateway: what happened is on it, and what is done there happens."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from running import Gateway, serve, until

from gateway.stores.embedded import EmbeddedPostgres

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", admin: {{token: TOKEN}}}}
upstreams:
  hello: {{respond: {{status: 200, body: '{{"answer": "Open Settings."}}'}}}}
routes:
  - {{name: faq, path: /faq, upstream: hello, preset: json-query, scope: public, tags: [$.document], thresholds: {{hit: 0.8}},
      vary: {{ignore: [$.document]}}}}
"""
QUESTION = "How do I reset my <b>password</b>?"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    data = tmp_path_factory.mktemp("data")
    postgres = EmbeddedPostgres(data, max_connections=100)
    postgres.start()
    try:
        config = CONFIG.format(data=data)
        with serve(tmp_path_factory.mktemp("gateway"), config) as gateway:
            yield gateway
    finally:
        postgres.stop()


@pytest.fixture
def desk(gateway: Gateway) -> Iterator[httpx.Client]:
    """A browser without scripts that has signed in."""
    with httpx.Client(base_url=f"{gateway.url}/-/ui/", timeout=30, follow_redirects=True) as http:
        assert http.post("sign-in", data={"token": "TOKEN"}).status_code == 200
        yield http


def csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found
    return found[1]


def ask(gateway: Gateway, question: str, document: str = "handbook") -> str:
    answer = gateway.ask("/faq", {"query": question, "document": document})
    return str(answer.headers["x-cache"])


def test_without_a_session_the_gateway_shows_the_form_only(gateway: Gateway) -> None:
    answer = gateway.http.get("/-/ui")
    assert answer.status_code == 401
    assert 'type="password"' in answer.text
    assert gateway.http.get("/-/ui/static/mark.svg").status_code == 200


def test_what_was_asked_is_counted_listed_explained_and_purged(gateway: Gateway, desk: httpx.Client) -> None:
    assert [ask(gateway, QUESTION), ask(gateway, QUESTION)] == ["MISS", "HIT"]
    overview = desk.get("")
    assert overview.status_code == 200
    row = re.search(r'id="to-faq".*?</tr>', overview.text, re.DOTALL)
    assert row
    assert "50" in row[0]
    listed = until(
        lambda: desk.get("entries?route=faq") if "&lt;b&gt;password" in desk.get("entries").text else None, "no entry"
    )
    entry = re.search(r'href="/-/ui/(entries/[^"?]+)">How do I', listed.text)
    assert entry
    shown = desk.get(entry[1])
    assert "Open Settings." in shown.text
    assert "handbook" in shown.text

    token = csrf(overview)
    explained = desk.post("lookup", data={"csrf": token, "route": "faq", "text": "How can I reset my <b>password</b>?"})
    assert "served" in explained.text
    assert "nearest" in explained.text

    counted = desk.post("purge", data={"csrf": token, "tags": "handbook", "step": "preview"})
    assert "<strong>1</strong> entry fits" in counted.text
    purged = desk.post("purge", data={"csrf": token, "tags": "handbook", "step": "confirm"})
    assert "<strong>1</strong> entry is purged" in purged.text
    until(lambda: ask(gateway, QUESTION) == "MISS", "it is still served")


def test_one_entry_is_removed(gateway: Gateway, desk: httpx.Client) -> None:
    ask(gateway, "Where is my data stored?", "other")
    page = until(lambda: desk.get("entries") if "Where is my data" in desk.get("entries").text else None, "no entry")
    entry = re.search(r'href="/-/ui/(entries/[^"?]+)">Where is my data', page.text)
    assert entry
    assert "is removed" in desk.post(f"{entry[1]}/remove", data={"csrf": csrf(page)}).text
    assert desk.get(entry[1]).status_code == 404


def test_a_broken_file_is_told_where_it_is_reloaded(gateway: Gateway, desk: httpx.Client) -> None:
    file = next(gateway.log.parent.glob("routes-*.yaml"))
    good = file.read_text()
    page = desk.get("configuration")
    assert "fine" in page.text
    assert desk.post("configuration/reload", data={"csrf": csrf(page)}).status_code == 200
    try:
        file.write_text(good.replace("upstream: hello", "upstream: helo"))
        refused = desk.post("configuration/reload", data={"csrf": csrf(page)})
        assert "the old configuration runs on" in refused.text
        assert "helo" in refused.text
        assert file.name in refused.text
        assert "The last reload was refused" in desk.get("").text
    finally:
        file.write_text(good)
    assert "the old configuration" not in desk.post("configuration/reload", data={"csrf": csrf(page)}).text
