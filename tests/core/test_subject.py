"""Two requests share an entry exactly when everything but the text is equal: the properties that isolation rests on."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.core.body import Document
from gateway.core.dialects.registry import by_name
from gateway.core.extract import compile_extractors
from gateway.core.jsonpath import compile_path
from gateway.core.keys import Keyer, frame
from gateway.core.messages import Reason, Request, Subject, Wanted
from gateway.core.subject import CLIENT, PUBLIC, Rule, read_subject, reads_body

KEY = b"k" * 32
NAMES = st.text(max_size=5)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5)


def rule(**changes: object) -> Rule:
    texts = {"query": "$.q", "model": "$.model", "role": None, "stream": None} | {
        name: changes.pop(name) for name in ("query", "model", "role", "stream", "bypass") if name in changes
    }
    scope = changes.pop("scope", PUBLIC)
    read = {
        "scope": scope if scope in (PUBLIC, CLIENT) else compile_extractors(scope),
        "ignore": tuple(compile_path(text) for text in changes.pop("ignore", ())),
    }
    extractors = {name: compile_extractors(texts.get(name)) for name in ("query", "model", "role", "stream", "bypass")}
    extractors["exact_if"] = compile_extractors(changes.pop("exact_if", None))
    return Rule(
        **read,
        **extractors,
        stream_default=bool(changes.pop("stream_default", False)),
        headers=tuple(changes.pop("headers", ())),
        exact_only=bool(changes.pop("exact_only", False)),
        reads_body=reads_body(read["scope"], read["ignore"], *extractors.values()),
    )


def subject(body: object, of: Rule | None = None, *, static: bytes = b"route", **request: object) -> Subject | Reason:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {
        "method": "POST",
        "path": b"/p",
        "query_string": b"",
        "headers": [],
        "body": raw,
        "path_params": {},
        "upstream_path": b"/p",
        "client": None,
        "asked_at": 0.0,
    } | request
    return read_subject(of or rule(), Keyer(KEY, static), Request(**fields), Document(raw))


def shuffled(value: object, rng: random.Random) -> object:
    if isinstance(value, dict):
        members = list(value.items())
        rng.shuffle(members)
        return {name: shuffled(child, rng) for name, child in members}
    return [shuffled(child, rng) for child in value] if isinstance(value, list) else value


def same_json(one: object, other: object) -> bool:
    """Equal as JSON with 1, 1.0 and true kept apart, as the keys keep them."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(BODIES, st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t "]))
def test_key_order_and_white_space_never_change_a_key(body, rng, indent):
    body["q"] = "question"
    other = json.dumps(shuffled(body, rng), indent=indent, ensure_ascii=rng.random() < 0.5).encode()
    assert subject(body) == subject(other)


@given(BODIES, VALUES, VALUES)
def test_ignored_members_never_change_a_key(body, one, other):
    body["q"] = "question"
    ignoring = rule(ignore=["$.user", "$.meta.trace"])
    first = subject({**body, "user": one, "meta": {"trace": one, "kept": 1}}, ignoring)
    second = subject({**body, "user": other, "meta": {"kept": 1}}, ignoring)
    assert first == second


@given(BODIES, BODIES)
def test_any_other_difference_changes_the_partition(one, other):
    one["q"] = other["q"] = "question"
    assume(not same_json(one, other))
    first, second = subject(one), subject(other)
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition != second.partition
    assert first.exact != second.exact


@given(BODIES, st.text(min_size=1), st.text(min_size=1))
def test_another_text_is_the_same_partition_and_another_exact_key(body, one, other):
    assume(one != other and one.strip() and other.strip())
    assume("model" not in body or body["model"] is None)
    first, second = subject({**body, "q": one}), subject({**body, "q": other})
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition == second.partition
    assert first.exact != second.exact


@given(st.lists(st.text(max_size=6), min_size=1, max_size=3), st.lists(st.text(max_size=6), min_size=1, max_size=3))
def test_no_two_scopes_ever_share(one, other):
    assume(one != other and all(one) and all(other))
    scoped = rule(scope=tuple(f"$.scope[{index}]" for index in range(3)), ignore=["$.scope"])
    first = subject({"q": "question", "scope": [*one, *["pad"] * (3 - len(one))]}, scoped)
    second = subject({"q": "question", "scope": [*other, *["pad"] * (3 - len(other))]}, scoped)
    same = [*one, *["pad"] * (3 - len(one))] == [*other, *["pad"] * (3 - len(other))]
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert (first.scope == second.scope) is same
    assert (first.partition == second.partition) is same
    assert (first.exact == second.exact) is same


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_frames_of_different_parts_differ(one, other):
    assert (frame(*one) == frame(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"method": "POST"}, {"method": "PUT"}),
        ({"upstream_path": b"/a"}, {"upstream_path": b"/b"}),
        ({"upstream_path": b"/a%2Fb"}, {"upstream_path": b"/a/b"}),
        ({"query_string": b"a=1"}, {"query_string": b"a=2"}),
        ({"static": b"route one"}, {"static": b"route two"}),
        ({"headers": [(b"accept-language", b"de")]}, {"headers": [(b"accept-language", b"en")]}),
        ({"headers": [(b"accept-language", b"de")]}, {"headers": []}),
    ],
)
def test_whatever_frames_the_question_keeps_partitions_apart(one, other):
    varying = rule(headers=[b"accept-language"])
    first, second = (subject({"q": "question"}, varying, **request) for request in (one, other))
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition != second.partition


def test_another_digest_key_changes_every_digest():
    request = Request("POST", b"/", b"", [], b"", {}, b"/", None, 0.0)
    one, other = (
        read_subject(rule(), Keyer(key * 32, b"route"), request, Document(b'{"q": "question"}')) for key in (b"a", b"b")
    )
    assert isinstance(one, Subject)
    assert isinstance(other, Subject)
    assert not {one.scope, one.partition, one.exact} & {other.scope, other.partition, other.exact}


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


@pytest.mark.parametrize(
    ("body", "default", "streams"),
    [
        ({"stream": True}, False, True),
        ({"stream": False}, True, False),
        ({"stream": None}, True, True),
        ({}, True, True),
        ({}, False, False),
    ],
)
def test_the_form_asked_for_is_known(body, default, streams):
    found = subject({"q": "question", **body}, rule(stream="$.stream", stream_default=default))
    assert isinstance(found, Subject)
    assert found.wanted == Wanted(stream=streams)


@pytest.mark.parametrize("value", ["true", 1, [], {}])
def test_a_stream_member_that_says_neither_yes_nor_no_is_not_guessed(value):
    assert subject({"q": "question", "stream": value}, rule(stream="$.stream")) is Reason.STREAM


@pytest.mark.parametrize(("value", "streams"), [(b"true", True), (b"1", True), (b"False", False), (b"0", False)])
def test_a_header_may_ask_for_a_stream(value, streams):
    found = subject({"q": "question"}, rule(stream="header:X-Stream"), headers=[(b"x-stream", value)])
    assert isinstance(found, Subject)
    assert found.wanted == Wanted(stream=streams)


@pytest.mark.parametrize(("serves", "bypassed"), [((False,), True), ((True,), False), ((False, True), False)])
def test_a_route_may_leave_a_form_alone(serves, bypassed):
    of = msgspec.structs.replace(rule(stream="$.stream"), serves=serves)
    assert (subject({"q": "question", "stream": True}, of) is Reason.STREAM) is bypassed


def keys(*bodies: dict[str, object], of: Rule) -> set[bytes]:
    subjects = [subject({"q": "question", **body}, of) for body in bodies]
    assert all(isinstance(each, Subject) for each in subjects)
    return {each.exact for each in subjects if isinstance(each, Subject)}


def test_without_a_dialect_stream_and_single_are_two_partitions():
    assert len(keys({"stream": True}, {"stream": False}, of=rule(stream="$.stream"))) == 2


def test_with_a_dialect_only_what_asks_for_a_form_is_left_out_of_the_key():
    both = msgspec.structs.replace(rule(stream="$.stream"), dialect=by_name("openai-chat"))
    usage = {"include_usage": True}
    same = [{}, {"stream": True}, {"stream": None}, {"stream": True, "stream_options": usage}, {"stream_options": None}]
    assert len(keys(*same, of=both)) == 1
    assert len(keys({}, {"stream": True, "stream_options": {**usage, "include_obfuscation": False}}, of=both)) == 2
    wishing = subject({"q": "question", "stream": True, "stream_options": usage}, both)
    assert isinstance(wishing, Subject)
    assert wishing.wanted == Wanted(stream=True, usage=True)


def test_what_cannot_be_turned_into_the_other_form_has_a_place_of_its_own():
    keyer = Keyer(KEY, b"route")
    both = msgspec.structs.replace(rule(stream="$.stream"), dialect=by_name("openai-chat"))
    stream, single = (subject({"q": "question", "stream": form}, both) for form in (True, False))
    assert isinstance(stream, Subject)
    assert isinstance(single, Subject)
    assert stream.exact == single.exact
    apart = {keyer.apart(each).exact for each in (stream, single)} | {
        keyer.apart(each).partition for each in (stream, single)
    }
    assert len(apart | {stream.exact, stream.partition}) == 6


def test_the_text_of_a_query_parameter_is_not_part_of_the_partition():
    asking = rule(query="query:q", model=None)
    first = subject(b"", asking, query_string=b"q=one&lang=en")
    second = subject(b"", asking, query_string=b"q=two+words&lang=en")
    third = subject(b"", asking, query_string=b"q=one&lang=de")
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert isinstance(third, Subject)
    assert (first.text, second.text) == ("one", "two words")
    assert first.partition == second.partition != third.partition


def test_a_body_that_no_extractor_reads_is_compared_byte_by_byte():
    asking = rule(query="query:q", model=None)
    assert not asking.reads_body
    request = Request("POST", b"/p", b"q=x", [], b"<xml/>", {}, b"/p", None, 0.0)
    other = Request("POST", b"/p", b"q=x", [], b"<xml></xml>", {}, b"/p", None, 0.0)
    one, two = (read_subject(asking, Keyer(KEY), each, Document(each.body)) for each in (request, other))
    assert isinstance(one, Subject)
    assert isinstance(two, Subject)
    assert one.partition != two.partition


def test_the_first_query_extractor_with_a_value_wins():
    responses = rule(query=("$.input[-1].content", "$.input"))
    plain = subject({"input": "question"}, responses)
    listed = subject({"input": [{"role": "user", "content": [{"type": "input_text", "text": "question"}]}]}, responses)
    assert isinstance(plain, Subject)
    assert isinstance(listed, Subject)
    assert plain.text == listed.text == "question"
    assert plain.partition != listed.partition
