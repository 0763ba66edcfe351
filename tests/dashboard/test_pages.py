"""The pages as a browser without scripts gets them: who may see them, what they say, and that they only show text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from litestar.testing import TestClient
from made_site import app_over
from madeup import NASTY, QUESTIONS, TOKEN, MadeUp

from gateway.fronts.admin.operations import LookupQuestion, PurgeOrder, Similar

PAGES = ["", "/routes/faq", "/routes/embeddings", "/entries", "/entries/e0003", "/purge", "/lookup", "/configuration"]
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


@pytest.fixture
def visit() -> Iterator[Visit]:
    yield from visiting()


@pytest.fixture
def down() -> Iterator[Visit]:
    yield from visiting(down=True)


@pytest.fixture
def idle() -> Iterator[Visit]:
    yield from visiting(idle=True)


@pytest.fixture
def broken() -> Iterator[Visit]:
    yield from visiting(broken=True)


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


# Who may see it


@pytest.mark.parametrize("path", PAGES)
def test_without_a_session_there_is_the_form_to_sign_in(visit: Visit, path: str) -> None:
    answer = visit.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert 'type="password"' in answer.text
    assert 'role="alert"' not in answer.text
    assert not any(question in answer.text for question in QUESTIONS)


def test_signing_in_leads_back_to_the_page_that_was_asked_for(visit: Visit) -> None:
    assert 'name="back" value="/-/ui/entries?route=faq"' in visit.get("/entries?route=faq").text
    answer = visit.post("/sign-in", {"token": TOKEN, "back": "/-/ui/entries?route=faq"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/-/ui/entries?route=faq")
    assert visit.get("/entries?route=faq").status_code == 200
    assert visit.post("/sign-in", {"token": TOKEN, "back": "https://example.org"}).headers["location"] == HOME


def test_the_cookie_is_for_this_site_and_no_script(visit: Visit) -> None:
    cookie = visit.post("/sign-in", {"token": TOKEN}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/-/ui", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert TOKEN not in cookie


def test_over_tls_the_cookie_stays_there(visit: Visit) -> None:
    answer = visit.post("/sign-in", {"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_token_is_told_and_too_many_are_sent_away(visit: Visit) -> None:
    first = visit.post("/sign-in", {"token": "guess"})
    assert first.status_code == 401
    assert 'role="alert"' in first.text
    assert "set-cookie" not in first.headers
    answers = [visit.post("/sign-in", {"token": f"guess {nth}"}) for nth in range(10)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert visit.post("/sign-in", {"token": TOKEN}).status_code == 303  # the right one passes even then


def test_another_site_signs_nobody_in(visit: Visit) -> None:
    answer = visit.post("/sign-in", {"token": TOKEN}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_takes_the_session_from_the_browser(visit: Visit) -> None:
    visit.sign_in()
    answer = visit.post("/sign-out", {"csrf": visit.csrf()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/-/ui/sign-in")
    assert visit.get().status_code == 401


def test_another_admin_token_ends_the_session(visit: Visit) -> None:
    visit.sign_in()
    visit.operations.admin_token = "another-token"
    assert visit.get().status_code == 401


def test_the_bearer_token_does_as_well(visit: Visit) -> None:
    assert visit.get(headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert visit.get(headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert visit.post("/purge", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_without_a_configured_token_there_is_no_dashboard(visit: Visit) -> None:
    visit.operations.admin_token = ""
    for path in [*PAGES, "/sign-in", "/static/app.css"]:
        assert visit.get(path).status_code == 404
    assert visit.post("/sign-in", {"token": ""}).status_code == 404


@pytest.mark.parametrize("path", POSTS)
def test_nothing_happens_without_the_csrf_token_of_the_session(visit: Visit, path: str) -> None:
    visit.sign_in()
    assert visit.post(path, {"route": "faq"}).status_code == 403
    assert visit.post(path, {"route": "faq", "csrf": "0" * 64}).status_code == 403
    assert visit.operations.asked == []
    assert visit.post(path, {"csrf": visit.csrf()}).status_code in (200, 303)


def test_every_post_is_among_those_tested() -> None:
    with TestClient(app_over(MadeUp())) as http:
        posts = {route.path for route in http.app.routes if "POST" in route.methods}
    filled = {path.replace("e0001", "{entry_id:str}") for path in POSTS}
    assert posts == {HOME + path for path in [*filled, "/sign-in"]}


def test_the_csrf_token_may_come_as_a_header(visit: Visit) -> None:
    visit.sign_in()
    assert visit.post("/purge", {}, headers={"X-CSRF-Token": visit.csrf()}).status_code == 200


def test_a_form_that_is_too_large_is_refused(visit: Visit) -> None:
    visit.sign_in()
    assert visit.post("/purge", {"csrf": visit.csrf(), "similar_to": "x" * 300_000}).status_code == 413
    assert visit.post("/sign-in", {"token": "x" * 20_000}).status_code == 413


# What they carry


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


@pytest.mark.parametrize("path", ["/entries", "/entries/e0003"])
def test_questions_answers_and_tags_are_text(visit: Visit, path: str) -> None:
    page = Elements(visit.sign_in().get(path).text)
    assert NASTY in page.text
    assert "<b>tag</b>" in page.text
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


# What they say


def test_the_overview_tells_the_hit_rate_what_was_saved_and_each_route(visit: Visit) -> None:
    text = " ".join(Elements(visit.sign_in().get().text).text.split())
    for said in ["Hit rate", "$77.41", "5,932", "support-chat", "faq", "claude", "no requests yet", "2 d 7 h ago"]:
        assert said in text.replace("\u00a0", " "), said
    assert "20,099 hits, half of them at 0.971 or above; 17,401 near misses" in text


def test_each_chart_has_its_figures_as_a_table(visit: Visit) -> None:
    page = visit.sign_in().get().text
    assert page.count('<figure class="chart"') == page.count('class="scroll short"') == 9
    assert page.count('role="img" aria-labelledby="title-') == 9
    assert page.count('<tr><th scope="row"><data') > 3 * 50


@pytest.mark.parametrize("range_", ["15m", "1h", "6h", "24h"])
def test_the_time_shown_can_be_chosen(visit: Visit, range_: str) -> None:
    page = visit.sign_in().get(f"?range={range_}").text
    assert f'range={range_}" aria-current="true"' in page
    assert "last 1h" in visit.get("?range=nonsense").text


def test_a_route_tells_why_it_bypassed_and_did_not_keep(visit: Visit) -> None:
    text = Elements(visit.sign_in().get("/routes/support-chat").text).text
    assert "no-scope" in text
    assert "truncated" in text
    assert "1,204" in text
    assert visit.get("/routes/none").status_code == 404


def test_before_the_first_request_the_overview_says_how_to_send_one(idle: Visit) -> None:
    page = Elements(idle.sign_in().get().text).text
    assert "No requests yet" in page
    assert "curl http://testserver.local/v1/chat/completions" in page
    assert "Nothing measured yet in this time." in page
    assert "Nothing is stored" in idle.get("/entries").text


def test_entries_come_page_by_page_and_by_route(visit: Visit) -> None:
    first = visit.sign_in().get("/entries?route=faq").text
    assert "e0001" in first
    assert "e0002" not in first
    older = re.search(r'rel="next" href="/-/ui(/entries\?[^"]+)"', first)
    assert older
    second = visit.get(older[1].replace("&amp;", "&")).text
    assert "e0119" in second
    assert "Newest" in second
    assert 'rel="next"' not in second


def test_an_entry_is_shown_whole_and_can_be_removed(visit: Visit) -> None:
    page = Elements(visit.sign_in().get("/entries/e0003").text)
    assert "Open Settings, choose Security" in page.text
    answer = visit.post("/entries/e0003/remove", {"csrf": visit.csrf()})
    assert (answer.status_code, answer.headers["location"]) == (303, "/-/ui/entries?removed=e0003")
    assert "is removed" in visit.get("/entries?removed=e0003").text
    assert visit.get("/entries/e0003").status_code == 404
    assert visit.post("/entries/e0003/remove", {"csrf": visit.csrf()}).status_code == 404


def test_an_id_is_found_and_words_are_looked_up(visit: Visit) -> None:
    csrf = visit.sign_in().csrf()
    found = visit.post("/entries/find", {"csrf": csrf, "words": "e0005", "route": "faq"})
    assert (found.status_code, found.headers["location"]) == (303, "/-/ui/entries/e0005")
    near = visit.post("/entries/find", {"csrf": csrf, "words": "change password", "route": "faq"})
    assert "0.9871" in near.text
    assert visit.operations.asked[-1] == LookupQuestion(route="faq", text="change password")
    refused = visit.post("/entries/find", {"csrf": csrf, "words": "change password", "route": "support-chat"})
    assert "give a scope" in refused.text


def test_a_purge_counts_first_and_then_does_it(visit: Visit) -> None:
    csrf = visit.sign_in().csrf()
    fields = {"csrf": csrf, "route": "faq", "tags": "doc:handbook, v9", "older_than": "24h", "scope": "acme\nberlin"}
    counted = visit.post("/purge", {**fields, "similar_to": "passwords", "at_least": "0.8", "step": "preview"})
    assert "Nothing is purged yet" in counted.text
    wanted = PurgeOrder("faq", ["acme", "berlin"], ["doc:handbook", "v9"], "24h", Similar("passwords", 0.8), True)
    assert visit.operations.asked[-1] == wanted
    hidden = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', counted.text.split('id="outcome"')[1])
    )
    done = visit.post("/purge", {**hidden, "step": "confirm"})
    assert "purged." in done.text
    assert visit.operations.asked[-1] == PurgeOrder(
        "faq", ["acme", "berlin"], ["doc:handbook", "v9"], "24h", Similar("passwords", 0.8), False
    )


def test_a_purge_of_everything_is_called_that(visit: Visit) -> None:
    answer = visit.sign_in().post("/purge", {"csrf": visit.csrf(), "step": "preview"})
    assert "that is everything, of every route" in answer.text
    assert visit.operations.asked[-1] == PurgeOrder(dry_run=True)


def test_an_order_that_makes_no_sense_is_told_why(visit: Visit) -> None:
    csrf = visit.sign_in().csrf()
    assert "needs a route" in visit.post("/purge", {"csrf": csrf, "similar_to": "x"}).text
    assert "number from 0 to 1" in visit.post("/purge", {"csrf": csrf, "at_least": "much"}).text
    assert "one of them" in visit.post("/lookup", {"csrf": csrf, "route": "faq"}).text
    assert "is not JSON" in visit.post("/lookup", {"csrf": csrf, "route": "faq", "body": "{"}).text


def test_a_look_up_shows_verdict_steps_and_candidates(visit: Visit) -> None:
    csrf = visit.sign_in().csrf()
    answer = visit.post("/lookup", {"csrf": csrf, "route": "faq", "body": '{"query": "how?"}', "scope": "acme"})
    text = Elements(answer.text).text
    for said in ["hit", "verified", "postgres-exact", "0.9871", "accepted by pairwise", "text length"]:
        assert said in text, said
    asked = visit.operations.asked[-1]
    assert isinstance(asked, LookupQuestion)
    assert (asked.route, bytes(asked.body), asked.text, asked.scope) == ("faq", b'{"query": "how?"}', None, "acme")


def test_a_reload_says_what_became_of_it(visit: Visit, broken: Visit) -> None:
    done = visit.sign_in().post("/configuration/reload", {"csrf": visit.csrf()})
    assert "77aa00112233" in done.text
    refused = broken.sign_in().post("/configuration/reload", {"csrf": broken.csrf()})
    assert "the old configuration runs on" in refused.text
    assert "routes.yaml:14:7" in refused.text
    assert "server.listen" in refused.text
    forced = broken.post("/configuration/reload", {"csrf": broken.csrf(), "force": "true"})
    assert "Reloaded." in forced.text
    assert broken.operations.asked == [("reload", False), ("reload", True)]
    assert "The last reload was refused" in broken.get().text


def test_while_postgresql_is_down_the_pages_say_so(down: Visit) -> None:
    overview = Elements(down.sign_in().get().text).text
    assert "Degraded" in overview
    assert "no answer within 500 ms" in overview
    assert "PostgreSQL does not answer" in overview
    listed = down.get("/entries")
    assert listed.status_code == 200
    assert "cannot be listed now" in listed.text
    assert down.get("/entries/e0001").status_code == 503
    csrf = down.csrf()
    for path in ("/purge", "/lookup", "/entries/find"):
        answer = down.post(path, {"csrf": csrf, "route": "faq", "text": "x", "words": "x y"})
        assert answer.status_code == 200
        assert "no answer within 500 ms" in answer.text


def test_a_script_whose_session_ended_has_its_page_loaded_again(visit: Visit) -> None:
    answer = visit.get(headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-refresh"]) == (401, "true")
