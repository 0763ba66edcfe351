"""A stand-in is asked as it wants to be asked: at its own path, with its own headers, and named as the answer's source."""

from __future__ import annotations

import pytest
from raw_client import MakeProxy
from raw_upstream import RawUpstream, always

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
POST = {"method": b"POST", "body": b"body"}
LENGTH = b"Content-Length: 4"


def test_a_fallback_answers_with_its_own_path_and_headers_and_is_named(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = always(BUSY)
    proxy = make_proxy(
        {"url": upstream.url + "/one", "headers": [["x-key", "one"]]},
        {
            "url": other_upstream.url + "/two",
            "name": "second",
            "headers": [["x-other-key", "two"]],
            "equivalent": False,
        },
    )
    answer = proxy.raw(b"/chat?x=1", LENGTH, b"X-Key: client's", **POST)
    assert answer.status == 200
    assert upstream.seen[0].request_line == b"POST /one/chat?x=1 HTTP/1.1"
    assert upstream.seen[0].values(b"x-key") == [b"one"]
    assert other_upstream.seen[0].request_line == b"POST /two/chat?x=1 HTTP/1.1"
    assert other_upstream.seen[0].values(b"x-key") == [b"client's"], "the first upstream's key went to the second"
    assert other_upstream.seen[0].values(b"x-other-key") == [b"two"]
    entry = proxy.log()[0]
    assert (entry["upstream"], entry["equivalent"]) == ("second", False)


@pytest.mark.parametrize(
    ("path", "asked", "wanted"),
    [
        ("/v2/chat", b"/chat?x=1", b"/v2/chat?x=1"),
        ("/v2/chat?", b"/chat?x=1", b"/v2/chat"),
        ("/v2/chat?api-version=2024-10-21", b"/chat?x=1", b"/v2/chat?api-version=2024-10-21"),
        (
            "/openai/deployments/{model}/chat?api-version=1&was={model}",
            b"/chat",
            b"/openai/deployments/a%2Fb+c=d&e/chat?api-version=1&was=a%2Fb%2Bc%3Dd%26e",
        ),
    ],
)
def test_a_stand_in_has_a_path_of_its_own(
    path: str,
    asked: bytes,
    wanted: bytes,
    make_proxy: MakeProxy,
    upstream: RawUpstream,
    other_upstream: RawUpstream,
) -> None:
    upstream.behaviour = always(BUSY)
    proxy = make_proxy(
        {"url": upstream.url + "/one"},
        {"url": other_upstream.url + "/two", "name": "second", "path": path},
        variables={"model": "a%2Fb+c=d&e"},
    )
    assert proxy.raw(asked, LENGTH, **POST).status == 200
    assert upstream.seen[0].request_line == b"POST /one" + asked + b" HTTP/1.1"
    assert other_upstream.seen[0].request_line == b"POST /two" + wanted + b" HTTP/1.1"
    assert other_upstream.seen[0].body == b"body"


def test_the_first_upstreams_credentials_can_be_kept_from_the_second(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = always(BUSY)
    proxy = make_proxy(
        {"url": upstream.url},
        {
            "url": other_upstream.url,
            "name": "second",
            "headers": [["api-key", "second's"]],
            "remove_headers": ["authorization"],
        },
    )
    assert proxy.raw(b"/", LENGTH, b"Authorization: Bearer first's", **POST).status == 200
    assert upstream.seen[0].values(b"authorization") == [b"Bearer first's"]
    assert other_upstream.seen[0].values(b"authorization") == []
    assert other_upstream.seen[0].values(b"api-key") == [b"second's"]
