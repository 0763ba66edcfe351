"""Sealed and readable values: what opens, and what does not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rows import SEAL, entry, key, with_everything

from gateway.core.messages import Cost
from gateway.stores.codec import Codec, Head

SECRET = b"what the doctor said to me"
CODECS = {
    "sealed": Codec(SEAL),
    "readable": Codec(SEAL, readable=True),
    "keyless": Codec(None),
}


@pytest.mark.parametrize("name", list(CODECS))
@given(body=st.binary(max_size=300))
def test_every_body_comes_back(name: str, body: bytes) -> None:
    kept = entry("a", body=body)
    codec = CODECS[name]
    assert codec.decode(codec.encode(kept), kept.exact) == kept
    opened = codec.from_columns(*codec.to_columns(kept), kept.exact)
    assert opened is not None
    assert (opened[0].status, opened[0].headers, opened[1]) == (kept.status, kept.headers, kept.body)


@pytest.mark.parametrize("name", list(CODECS))
def test_every_field_comes_back(name: str) -> None:
    kept = with_everything(entry("a"))
    codec = CODECS[name]
    assert codec.decode(codec.encode(kept), kept.exact) == kept
    opened = codec.from_columns(*codec.to_columns(kept), kept.exact)
    assert opened is not None
    for field in opened[0].__struct_fields__:
        assert getattr(opened[0], field) == getattr(kept, field), field


def written_by_an_older_version(*fields: object) -> bytes:
    return b"\x01" + msgspec.msgpack.encode(fields)


@pytest.mark.parametrize("cost", [(), (["gpt-4o", 3, 4],)])
def test_what_older_versions_stored_still_opens(cost: tuple[object, ...]) -> None:
    kept = entry("a")
    if cost:
        kept = msgspec.structs.replace(kept, cost=Cost("gpt-4o", 3, 4))
    codec = CODECS["readable"]
    times = (kept.asked_at, kept.created_at, kept.expires_at)
    place = (kept.exact, kept.id, kept.route, kept.scope, kept.partition)
    record = written_by_an_older_version(*place, kept.status, kept.headers, *times, kept.body, *cost)
    assert codec.decode(record, kept.exact) == kept
    head = written_by_an_older_version(kept.status, kept.headers, *cost)
    opened = codec.from_columns(head, b"\x01" + kept.body, kept.exact)
    assert opened is not None
    assert opened[0] == Head(kept.status, kept.headers, kept.cost)


def test_what_the_versions_before_tags_and_shelfmarks_stored_still_opens() -> None:
    kept = with_everything(entry("a"))
    codec = CODECS["readable"]
    record = msgspec.msgpack.decode(codec.encode(kept)[1:])
    assert record.pop() is True  # synthesized
    assert record.pop() == [b"words", [["user", "7"]], [b"label"]]
    unmarked = msgspec.structs.replace(kept, mark=None, synthesized=False)
    assert codec.decode(written_by_an_older_version(*record), kept.exact) == unmarked
    assert record.pop() == ["alpha", "b\u00e9ta"]
    untagged = msgspec.structs.replace(unmarked, tags=())
    assert codec.decode(written_by_an_older_version(*record), kept.exact) == untagged
    head = msgspec.msgpack.decode(codec.to_columns(kept).head[1:])
    assert head.pop() is True
    assert head.pop() == [b"words", [["user", "7"]], [b"label"]]
    assert head.pop() == ["alpha", "b\u00e9ta"]
    opened = codec.from_columns(written_by_an_older_version(*head), b"\x01" + kept.body, kept.exact)
    assert opened is not None
    assert (opened[0].usage_asked, opened[0].tags, opened[0].mark) == (True, (), None)


def test_what_a_newer_version_appends_is_passed_over() -> None:
    kept = with_everything(entry("a"))
    codec = CODECS["readable"]
    record = [*msgspec.msgpack.decode(codec.encode(kept)[1:]), "new", [1, 2]]
    assert codec.decode(b"\x01" + msgspec.msgpack.encode(record), kept.exact) == kept


def test_a_form_that_this_version_does_not_know_is_absent() -> None:
    kept = entry("a")
    head = written_by_an_older_version(200, [], ["", 0, 0], "a form of the future")
    assert CODECS["readable"].from_columns(head, b"\x01" + kept.body, kept.exact) is None


@pytest.mark.parametrize("name", list(CODECS))
@given(question=st.text(max_size=300).filter(lambda text: text.isprintable()))
def test_every_question_comes_back(name: str, question: str) -> None:
    codec = CODECS[name]
    assert codec.open_question(codec.close_question(question, key("a")), key("a")) == question


def test_a_sealed_value_shows_nothing_of_its_content_and_never_twice_the_same() -> None:
    kept = entry("a", body=SECRET)
    codec = CODECS["sealed"]
    values = [codec.encode(kept), *codec.to_columns(kept), codec.close_question(SECRET.decode(), kept.exact)]
    for value in values:
        assert SECRET not in value
        assert b"content-type" not in value
    assert codec.encode(kept) != codec.encode(kept)


def test_a_sealed_value_opens_only_in_its_own_place() -> None:
    kept = entry("a")
    codec = CODECS["sealed"]
    elsewhere = key("another")
    head, body = codec.to_columns(kept)
    assert codec.decode(codec.encode(kept), elsewhere) is None
    assert codec.from_columns(head, body, elsewhere) is None
    assert codec.from_columns(body, head, kept.exact) is None
    assert codec.open_question(codec.close_question("q", kept.exact), elsewhere) is None
    assert codec.open_question(body, kept.exact) is None


def test_another_key_opens_nothing() -> None:
    kept = entry("a")
    blob = CODECS["sealed"].encode(kept)
    assert Codec(b"x" * 32).decode(blob, kept.exact) is None
    assert Codec(None).decode(blob, kept.exact) is None


def test_a_readable_value_under_another_key_is_absent() -> None:
    kept = entry("a")
    codec = CODECS["readable"]
    assert codec.decode(codec.encode(kept), key("another")) is None


def test_after_a_change_to_readable_the_sealed_values_are_still_read() -> None:
    kept = entry("a")
    assert CODECS["readable"].decode(CODECS["sealed"].encode(kept), kept.exact) == kept


def test_whoever_writes_readable_values_into_the_store_is_not_believed_by_a_sealed_route() -> None:
    kept = entry("a")
    assert CODECS["sealed"].decode(CODECS["readable"].encode(kept), kept.exact) is None


@pytest.mark.parametrize("name", list(CODECS))
@given(blob=st.binary(max_size=200))
def test_any_other_bytes_are_absent_and_never_an_error(name: str, blob: bytes) -> None:
    codec = CODECS[name]
    if name == "sealed":
        assert codec.from_columns(blob, blob, key("a")) is None
        assert codec.open_question(blob, key("a")) is None
    assert codec.decode(blob, key("a")) is None


@pytest.mark.parametrize("name", list(CODECS))
def test_a_value_cut_or_changed_anywhere_is_absent(name: str) -> None:
    kept = entry("a")
    codec = CODECS[name]
    blob = codec.encode(kept)
    for cut in range(len(blob)):
        assert codec.decode(blob[:cut], kept.exact) is None
    assert codec.decode(b"\x7f" + blob[1:], kept.exact) is None
    if name == "sealed":
        for place in range(len(blob)):
            assert codec.decode(blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :], kept.exact) is None
