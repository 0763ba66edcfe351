"""Who may see the dashboard and change something there: sessions, tokens, and forms that only its own pages send."""

from __future__ import annotations

import pytest
from litestar.testing import TestClient
from made_site import app_over
from madeup import QUESTIONS, TOKEN, MadeUp
from visits import HOME, PAGES, POSTS, Visit


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


@pytest.mark.parametrize("proto", ["https", "HTTPS", "https, http"])
def test_over_tls_the_cookie_stays_there(visit: Visit, proto: str) -> None:
    answer = visit.post("/sign-in", {"token": TOKEN}, headers={"X-Forwarded-Proto": proto})
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
