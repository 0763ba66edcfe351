"""What every page of the dashboard carries: no script of others, only text where text was said, files of its own."""

from __future__ import annotations

import re

import pytest
from madeup import NASTY
from visits import PAGES, Elements, Visit


@pytest.mark.parametrize("path", [*PAGES, "/sign-in", "/entries/none"])
def test_every_page_forbids_scripts_and_frames_of_others(visit: Visit, path: str) -> None:
    for answer in (visit.get(path), visit.sign_in().get(path)):
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", [*PAGES, "/sign-in"])
def test_no_page_has_script_or_style_in_it_or_names_another_host(visit: Visit, path: str) -> None:
    page = visit.sign_in().get(path).text if path != "/sign-in" else visit.get(path).text
    for tag, attributes in Elements(page).tags:
        assert tag not in ("style", "iframe", "object", "base"), tag
        assert not any(name.startswith("on") or name == "style" for name in attributes), (tag, attributes)
        for name in ("src", "href", "action", "hx-get", "hx-post"):
            target = attributes.get(name)
            assert target is None or target.startswith(("/-/ui", "#")), (tag, target)
        assert tag != "script" or "src" in attributes


@pytest.mark.parametrize("path", ["/entries", "/entries/e0003", "/denied"])
def test_questions_answers_and_tags_are_text(visit: Visit, path: str) -> None:
    page = Elements(visit.sign_in().get(path).text)
    assert NASTY in page.text
    assert path == "/denied" or "<b>tag</b>" in page.text
    assert ("img", {"src": "x", "onerror": "alert(1)"}) not in page.tags
    assert all("src" in attributes for tag, attributes in page.tags if tag == "script")


def test_what_was_typed_comes_back_as_text(visit: Visit) -> None:
    visit.sign_in()
    csrf = visit.csrf()
    for path, name in [("/purge", "tags"), ("/purge", "similar_to"), ("/lookup", "text"), ("/entries/find", "words")]:
        answer = visit.post(path, {"csrf": csrf, "route": "faq", name: NASTY})
        assert "<script>alert" not in answer.text, path
        assert "&lt;script&gt;" in answer.text, path
    assert "<img" not in visit.get("/entries?removed=<img>&route=<img>").text.split("</header>")[1]


def test_a_body_nested_beyond_measure_is_told_as_such(visit: Visit) -> None:
    csrf = visit.sign_in().csrf()
    answer = visit.post("/lookup", {"csrf": csrf, "route": "faq", "body": "[" * 100_000 + "]" * 100_000})
    assert answer.status_code == 200
    assert "nested too deeply" in answer.text


@pytest.mark.parametrize("entry", ["%00", "a%00b", "%20", "x" * 65, "%C3%A9"])
def test_what_is_no_id_is_asked_of_nobody(visit: Visit, entry: str) -> None:
    visit.sign_in()
    csrf = visit.csrf()
    visit.operations.asked.clear()
    assert visit.get(f"/entries/{entry}").status_code == 404
    assert visit.post(f"/entries/{entry}/remove", {"csrf": csrf}).status_code == 404
    assert "there is no such page" in visit.get(f"/entries?after={entry}").text
    assert visit.operations.asked == []


def test_messages_of_the_routes_file_are_text(broken: Visit) -> None:
    broken.sign_in()
    answer = broken.post("/configuration/reload", {"csrf": broken.csrf()})
    assert "<b>unknown" not in answer.text
    assert "<script>alert" not in answer.text
    assert NASTY in Elements(answer.text).text


def test_static_files_have_their_types_and_may_be_kept(visit: Visit) -> None:
    page = visit.get("/sign-in").text
    style = re.search(r'href="/-/ui(/static/app\.css\?v=\w+)"', page)
    assert style
    kept = visit.get(style[1])
    assert kept.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in kept.headers["cache-control"]
    changed = visit.get("/static/app.css?v=old")
    assert changed.headers["cache-control"] == "no-cache"
    assert visit.get("/static/app.css", headers={"If-None-Match": changed.headers["etag"]}).status_code == 304
    assert visit.get("/static/vendor/htmx/htmx.min.js").headers["content-type"].startswith("text/javascript")
    assert visit.get("/static/mark.svg").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/static/none.css", "/static/../page.py", "/static/%2e%2e/page.py", "/static/"])
def test_nothing_else_is_served(visit: Visit, path: str) -> None:
    assert visit.get(path).status_code == 404
