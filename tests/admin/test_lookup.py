"""Lookup explains the decision that a request gets: the same verdict, every candidate and why, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from desk import APP, RESET, RESET_OTHERWISE, WEATHER, WEB, ask, keep, listed, look, purge, topic
from running import Gateway, RawUpstream, chat, serve, until


def steps(answer: dict[str, Any]) -> list[str]:
    return [step["step"] for step in answer["steps"]]


def test_the_same_words_are_a_hit(gateway: Gateway):
    body = chat(RESET, topic=topic())
    entry = keep(gateway, "/v1/chat/completions", body)
    answer = look(gateway, route="chat", body=body, scope="web")
    assert (answer["verdict"], answer["reason"]) == ("hit", None)
    [candidate] = answer["candidates"]
    assert candidate == {
        "entry": entry,
        "similarity": 1.0,
        "verifier_score": None,
        "served": True,
        "question": RESET,
        "why": "served",
    }
    assert steps(answer) == ["subject", "memory"]
    assert answer["subject"]["model"] == "gpt-4o"
    assert answer["subject"]["text_length"] == len(RESET)
    assert all(step["ms"] >= 0 for step in answer["steps"])


def test_other_words_are_a_hit_with_the_similarity_that_the_client_sees(gateway: Gateway):
    about = topic()
    entry = keep(gateway, "/v1/chat/completions", chat(RESET, topic=about))
    answer = look(gateway, route="chat", body=chat(RESET_OTHERWISE, topic=about), scope="web")
    served = ask(gateway, "/v1/chat/completions", chat(RESET_OTHERWISE, topic=about))
    assert (answer["verdict"], served.headers["x-cache"]) == ("hit", "HIT")
    [candidate] = answer["candidates"]
    assert (candidate["entry"], candidate["served"], candidate["question"]) == (entry, True, RESET)
    assert f"{candidate['similarity']:.4f}" == served.headers["x-cache-similarity"]
    assert steps(answer) == ["subject", "memory", "postgres-exact", "embed", "nearest"]


def test_a_miss_lists_every_candidate_and_why_it_is_not_served(gateway: Gateway):
    about = topic()
    kept = {keep(gateway, "/v1/chat/completions", chat(each, topic=about)) for each in (RESET, WEATHER)}
    asked = chat("How do I bake bread?", topic=about)
    answer = look(gateway, route="chat", body=asked, scope="web")
    assert (answer["verdict"], answer["reason"]) == ("miss", "below-threshold")
    assert {each["entry"] for each in answer["candidates"]} == kept
    assert [each["served"] for each in answer["candidates"]] == [False, False]
    assert {each["why"] for each in answer["candidates"]} == {"below the threshold"}
    similarities = [each["similarity"] for each in answer["candidates"]]
    assert similarities == sorted(similarities, reverse=True)
    missed = ask(gateway, "/v1/chat/completions", asked)
    assert missed.headers["x-cache-similarity"] == f"{similarities[0]:.4f}"


def test_one_near_enough_is_served_and_the_next_one_is_not_reached(gateway: Gateway):
    about = topic()
    first = keep(gateway, "/loose", {"query": RESET, "topic": about})
    # Same words in another case: another exact key, and as near.
    second = keep_apart(gateway, {"query": RESET.upper(), "topic": about})
    answer = look(gateway, route="loose", body={"query": RESET + " ", "topic": about})
    assert answer["verdict"] == "hit"
    served = {each["entry"]: each["served"] for each in answer["candidates"]}
    assert sorted(served.values()) == [False, True]
    assert served.keys() == {first, second}


def keep_apart(gateway: Gateway, body: dict[str, Any]) -> str:
    """Stored though a near one is there already."""
    assert ask(gateway, "/loose", body, {"Cache-Control": "no-cache"}).headers["x-cache"] == "MISS"
    entry = ask(gateway, "/loose", body).headers["x-cache-entry"]
    until(lambda: gateway.admin("GET", f"entries/{entry}").status_code == 200, "the row is not there")
    return entry


def test_nothing_in_a_partition_is_a_miss_without_candidates(gateway: Gateway):
    answer = look(gateway, route="loose", body={"query": RESET, "topic": topic()})
    assert (answer["verdict"], answer["reason"], answer["candidates"]) == ("miss", "no-candidate", [])


def test_another_scope_sees_nothing_of_it(gateway: Gateway):
    body = chat(RESET, topic=topic())
    keep(gateway, "/v1/chat/completions", body)
    assert look(gateway, route="chat", body=body, scope="app")["verdict"] == "miss"
    assert look(gateway, route="chat", body=body, headers=APP)["verdict"] == "miss"
    assert look(gateway, route="chat", body=body, headers=WEB)["verdict"] == "hit"


def test_a_caller_that_nobody_knows_has_no_scope(gateway: Gateway):
    answer = look(gateway, route="chat", body=chat(RESET), headers={"Authorization": "Bearer unknown"})
    assert (answer["verdict"], answer["reason"]) == ("bypass", "no-scope")


def test_a_scope_may_be_named_by_its_values_or_its_digest(gateway: Gateway):
    about = topic()
    tenant = {"query": RESET, "topic": about}
    keep(gateway, "/tenant", tenant, {"X-Tenant": "åcme"})
    by_value = look(gateway, route="tenant", body=tenant, scope="åcme")
    by_header = look(gateway, route="tenant", body=tenant, headers={"x-tenant": "åcme"})
    assert by_value["verdict"] == by_header["verdict"] == "hit"
    digest = by_value["subject"]["scope"]
    assert look(gateway, route="tenant", body=tenant, scope=f"digest:{digest}")["verdict"] == "hit"
    team = {"query": RESET, "topic": about, "team": "blue"}
    keep(gateway, "/team", team, {"X-Org": "acme"})
    assert look(gateway, route="team", body=team, scope=["acme", "blue"])["verdict"] == "hit"
    assert look(gateway, route="team", body=team, scope=["acme", "red"])["verdict"] == "miss"
    assert look(gateway, route="team", body=team, headers={"X-Org": "acme"})["verdict"] == "hit"


def test_headers_and_path_count_as_the_requests_own(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    keep(gateway, "/lang/ann/ask", body, {"Accept-Language": "de"})
    asked = {"route": "lang", "body": body, "path": "/lang/ann/ask"}
    assert look(gateway, **asked, headers={"Accept-Language": "de"})["verdict"] == "hit"
    assert look(gateway, **asked, headers={"Accept-Language": "en"})["verdict"] == "miss"
    assert look(gateway, **{**asked, "path": "/lang/bob/ask"}, headers={"Accept-Language": "de"})["verdict"] == "miss"


def test_a_request_without_a_body_is_asked_about_by_its_path(gateway: Gateway):
    path = f"/search?q=reset+password&topic={topic()}"
    assert gateway.http.get(path, headers=WEB).headers["x-cache"] == "MISS"
    assert look(gateway, route="search", path=path)["verdict"] == "hit"
    assert look(gateway, route="search", path=path + "1")["verdict"] == "miss"


def test_what_the_client_wishes_counts(gateway: Gateway):
    about = topic()
    keep(gateway, "/v1/chat/completions", chat(RESET, topic=about))
    near = {"route": "chat", "body": chat(RESET_OTHERWISE, topic=about), "scope": "web"}
    raised = look(gateway, **near, headers={"X-Cache-Threshold": "0.9999"})
    assert (raised["verdict"], raised["reason"]) == ("miss", "below-threshold")
    fresh = look(gateway, **near, headers={"Cache-Control": "no-cache"})
    assert (fresh["verdict"], fresh["reason"]) == ("miss", "requested")
    only = look(gateway, route="loose", body={"query": RESET, "t": about}, headers={"Cache-Control": "only-if-cached"})
    assert (only["verdict"], only["reason"]) == ("refuse", "no-candidate")


@pytest.mark.parametrize(
    ("route", "body", "reason"),
    [
        ("loose", {"words": RESET}, "no-text"),
        ("loose", {"query": RESET, "private": True}, "bypass-rule"),
        ("chat", {"model": "gpt-4o", "messages": [{"role": "user", "content": " "}]}, "no-text"),
        ("tenant", {"query": RESET}, "no-scope"),
        ("open", {"query": RESET}, "off"),
    ],
)
def test_what_bypasses_the_cache_is_a_bypass(gateway: Gateway, route: str, body: Any, reason: str):
    scope = {"scope": "web"} if route == "chat" else {}
    answer = look(gateway, route=route, body=body, **scope)
    assert (answer["verdict"], answer["reason"], answer["candidates"]) == ("bypass", reason, [])
    assert [step["step"] for step in answer["steps"] if reason in step["result"]] == ["subject"]


def test_a_body_that_could_mean_two_things_is_read_as_the_gate_reads_it(gateway: Gateway):
    sent = b'{"route": "loose", "body": {"query": "a", "query": "b"}}'
    answer = gateway.http.post("/-/lookup", content=sent, headers={"Authorization": "Bearer TOKEN"}).json()
    assert (answer["verdict"], answer["reason"]) == ("bypass", "ambiguous-json")


def test_a_model_of_another_route_is_pointed_out(gateway: Gateway):
    answer = look(gateway, route="chat", body=chat(RESET, model="claude"), scope="web")
    assert answer["steps"][0]["step"] == "route"
    assert "models" in answer["steps"][0]["result"]


def test_exact_words_only_is_said(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    keep(gateway, "/words", body)
    assert look(gateway, route="words", body=body)["verdict"] == "hit"
    other = look(gateway, route="words", body={**body, "query": RESET_OTHERWISE})
    assert (other["verdict"], other["reason"]) == ("miss", "exact-only")
    alone = look(gateway, route="words", text=RESET)
    assert (alone["verdict"], alone["reason"]) == ("miss", "exact-only")


def test_a_text_alone_is_compared_with_all_partitions_of_its_scope(gateway: Gateway):
    tenant = {"X-Tenant": topic()}
    kept = [keep(gateway, "/tenant", {"query": RESET, "topic": topic()}, tenant) for _ in range(2)]
    kept.append(keep(gateway, "/tenant", {"query": WEATHER, "topic": topic()}, tenant))
    answer = look(gateway, route="tenant", text=RESET_OTHERWISE, scope=tenant["X-Tenant"])
    assert (answer["verdict"], answer["reason"]) == ("hit", None)
    assert {each["entry"] for each in answer["candidates"]} == set(kept)
    assert [each["served"] for each in answer["candidates"]] == [True, True, False]
    assert [each["question"] for each in answer["candidates"]] == [RESET, RESET, WEATHER]
    assert all(each["why"] for each in answer["candidates"])
    far = look(gateway, route="tenant", text="How do I bake bread?", scope=tenant["X-Tenant"])
    assert (far["verdict"], far["reason"], len(far["candidates"])) == ("miss", "below-threshold", 3)
    elsewhere = look(gateway, route="tenant", text=RESET, scope="somebody else")
    assert (elsewhere["verdict"], elsewhere["reason"], elsewhere["candidates"]) == ("miss", "no-candidate", [])


def test_a_text_on_a_public_route_needs_no_scope(gateway: Gateway):
    entry = keep(gateway, "/loose", {"query": "Where is the harbour of Split?", "topic": topic()})
    answer = look(gateway, route="loose", text="Where is the harbour of Split?")
    assert answer["candidates"][0]["entry"] == entry
    assert answer["candidates"][0]["similarity"] == pytest.approx(1.0, abs=1e-3)


def test_asking_leaves_nothing_behind(gateway: Gateway, upstream: RawUpstream):
    about = topic()
    keep(gateway, "/loose", {"query": RESET, "topic": about})
    requests, asked = gateway.metric("semgate_requests_total"), len(upstream.seen)
    entries = listed(gateway, route="loose")
    for question in (RESET, RESET_OTHERWISE, WEATHER):
        look(gateway, route="loose", body={"query": question, "topic": about})
        look(gateway, route="loose", text=question)
    assert (gateway.metric("semgate_requests_total"), len(upstream.seen)) == (requests, asked)
    assert [each["id"] for each in listed(gateway, route="loose")] == [each["id"] for each in entries]
    # nothing is led: the next request of these words is a leader, and is answered at once
    assert ask(gateway, "/loose", {"query": WEATHER, "topic": about}).headers["cache-status"] == "semgate; fwd=miss"


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"route": "chta", "text": "Hi"}, "chat"),
        ({"route": "loose"}, "body"),
        ({"route": "loose", "body": None}, "body"),
        ({"route": "loose", "text": "Hi", "body": {}}, "alone"),
        ({"route": "tenant", "text": "Hi"}, "scope"),
        ({"route": "loose", "text": "Hi", "scope": "web"}, "public"),
        ({"route": "team", "body": {}, "scope": "one"}, "header:X-Org"),
        ({"route": "chat", "body": {}, "scope": ["web", "app"]}, "one client"),
        ({"route": "lang", "body": {}}, "path"),
        ({"route": "lang", "body": {}, "path": "/other"}, "/lang/{name}/ask"),
        ({"route": "loose", "body": {}, "path": "/lööse"}, "percent-encoded"),
        ({"route": "loose", "body": {}, "headers": {"a b": "c"}}, "header"),
        ({"route": "loose", "body": {}, "headers": {"a": "b\nc"}}, "line breaks"),
    ],
)
def test_a_question_that_means_nothing_is_refused_with_what_would(gateway: Gateway, question: Any, says: str):
    answer = gateway.admin("POST", "lookup", question)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert says in answer.json()["detail"]


def test_where_no_clients_are_declared_a_caller_is_its_credential(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    config = f"""
server: {{listen: LISTEN, data_dir: "{data_dir}", namespace: nobody, admin: {{token: TOKEN}}}}
upstreams: {{fixed: {{respond: {{body: '{{"answer": 1}}'}}}}}}
routes: [{{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: client}}]
"""
    with serve(tmp_path, config) as gateway:
        body = {"query": RESET}
        for headers in ({"Authorization": "Bearer one"}, {"x-api-key": "two"}):
            for _ in range(2):
                answer = gateway.ask("/ask", body, headers)
            assert answer.headers["x-cache"] == "HIT"
        assert look(gateway, route="ask", body=body, scope="one")["verdict"] == "hit"
        assert look(gateway, route="ask", body=body, scope="Bearer one")["verdict"] == "hit"
        assert look(gateway, route="ask", body=body, headers={"x-api-key": "two"})["verdict"] == "hit"
        assert look(gateway, route="ask", body=body, scope="three")["verdict"] == "miss"
        assert look(gateway, route="ask", body=body)["reason"] == "no-scope"
        until(lambda: len(listed(gateway)) == 2, "the rows are not there")
        assert purge(gateway, scope="two", dry_run=False) == {"matched": 1, "purged": 1}
        assert purge(gateway, scope="one", dry_run=False) == {"matched": 1, "purged": 1}
