"""The pages of the dashboard as a browser without scripts gets them: what they say."""

from __future__ import annotations

import re

import pytest
from visits import Elements, Visit

from gateway.fronts.admin.operations import LookupQuestion, PurgeOrder, Similar


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


def test_denied_questions_are_listed_by_route_and_page_by_page(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'href="/-/ui/denied?route=faq"' in visit.sign_in().get("/entries?route=faq").text
    assert 'href="/-/ui/denied?route=faq"' in visit.get("/routes/faq").text
    text = " ".join(Elements(visit.get("/denied?route=faq").text).text.split())
    for said in [
        "Who will win? faq forwarded, not kept no, its own words only 0 the routes file",
        "Where is my order? faq forwarded, not kept from 0.8500 on, whatever the verifier says; but for 1 reported ones 7 an operator, 1 h ago",
        "all routes refused: “<script>",
        "1,204",
        "sealed with another key: it denies nothing",
    ]:
        assert said in text.replace("\u00a0", " "), said
    assert "Who will win?" not in visit.get("/denied?route=claude").text
    monkeypatch.setattr("gateway.fronts.admin.ui.denied.PAGE", 3)
    more = re.search(r'rel="next" href="/-/ui(/denied[^"]+)"', visit.get("/denied").text)
    assert more
    second = visit.get(more[1].replace("&amp;", "&")).text
    assert ("sealed with another key" in second, "Who will win?" in second) == (True, False)


def test_without_denied_questions_it_is_told_how_to_deny_one(idle: Visit, down: Visit) -> None:
    assert "semgate deny add" in idle.sign_in().get("/denied").text
    assert "cannot be listed now: postgres" in down.sign_in().get("/denied").text


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
