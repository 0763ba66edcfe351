"""What is read from a request: its scope, its text, and whether more than its exact words may be looked up."""

from __future__ import annotations

import pytest
from subjects import rule, subject

from gateway.core.messages import Reason, Subject
from gateway.core.subject import CLIENT


@pytest.mark.parametrize("scope", ["$.tenant", "header:x-tenant", "query:tenant", "path:tenant", CLIENT])
def test_a_missing_scope_bypasses(scope):
    assert subject({"q": "question", "tenant": ""}, rule(scope=scope)) is Reason.NO_SCOPE
    assert subject({"q": "question", "tenant": None}, rule(scope=scope)) is Reason.NO_SCOPE


def test_a_scope_of_several_parts_needs_all_of_them():
    scoped = rule(scope=("header:x-tenant", "$.user"))
    assert subject({"q": "question", "user": "u"}, scoped) is Reason.NO_SCOPE
    assert isinstance(subject({"q": "question", "user": "u"}, scoped, headers=[(b"x-tenant", b"t")]), Subject)


def test_a_scope_that_is_a_number_is_not_the_text_of_it():
    first, second = (subject({"q": "x", "tenant": tenant}, rule(scope="$.tenant")) for tenant in (1, "1"))
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.scope != second.scope


@pytest.mark.parametrize("text", [None, "", "  \n", [], [""], [{"type": "text", "text": " "}]])
def test_no_or_blank_text_bypasses(text):
    assert subject({"q": text}) is Reason.NO_TEXT


@pytest.mark.parametrize(
    "text", [42, {"a": 1}, [1, 2], ["see", {"type": "image_url", "image_url": "x"}], [{"type": "tool_result"}]]
)
def test_what_is_not_text_is_exact_only(text):
    found = subject({"q": text})
    assert isinstance(found, Subject)
    assert found.exact_only


def test_two_pictures_with_the_same_words_never_share():
    first, second = (
        subject({"q": [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": picture}]})
        for picture in ("a", "b")
    )
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.exact != second.exact


def test_text_parts_are_joined_with_a_newline_and_keep_their_borders_in_the_exact_key():
    one = subject({"q": [{"type": "text", "text": "a\nb"}, {"type": "text", "text": "c"}]})
    other = subject({"q": [{"type": "text", "text": "a"}, {"type": "text", "text": "b\nc"}]})
    assert isinstance(one, Subject)
    assert isinstance(other, Subject)
    assert one.text == other.text == "a\nb\nc"
    assert one.exact != other.exact


@pytest.mark.parametrize(("role", "exact_only"), [("user", False), (None, False), ("assistant", True), ("tool", True)])
def test_a_last_message_that_is_not_the_users_is_exact_only(role, exact_only):
    body = {"messages": [{"role": role, "content": "question"}]}
    found = subject(body, rule(query="$.messages[-1].content", role="$.messages[-1].role"))
    assert isinstance(found, Subject)
    assert found.exact_only is exact_only


def test_earlier_turns_are_part_of_the_partition():
    turns = rule(query="$.messages[-1].content")
    first, second = (
        subject({"messages": [{"content": earlier}, {"content": "and now?"}]}, turns) for earlier in ("a", "b")
    )
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition != second.partition


@pytest.mark.parametrize(("value", "bypassed"), [([], True), ([1], True), ("x", True), (None, False), (False, False)])
def test_a_bypass_extractor_forwards_when_it_finds_something(value, bypassed):
    found = subject({"q": "question", "tools": value}, rule(bypass=("$.tools",)))
    assert (found is Reason.BYPASS_RULE) is bypassed


def test_a_request_with_tools_is_exact_only_where_the_rule_says_so():
    acting = rule(exact_if=("$.tools[0]",))
    with_tools, without = (subject({"q": "question", "tools": tools}, acting) for tools in ([{"name": "pay"}], []))
    assert isinstance(with_tools, Subject)
    assert isinstance(without, Subject)
    assert (with_tools.exact_only, without.exact_only) == (True, False)


def test_the_first_query_extractor_with_a_value_wins():
    responses = rule(query=("$.input[-1].content", "$.input"))
    plain = subject({"input": "question"}, responses)
    listed = subject({"input": [{"role": "user", "content": [{"type": "input_text", "text": "question"}]}]}, responses)
    assert isinstance(plain, Subject)
    assert isinstance(listed, Subject)
    assert plain.text == listed.text == "question"
    assert plain.partition != listed.partition
