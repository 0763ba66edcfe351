"""Sessions: who made them, how long they last, and that they belong to one token."""

from __future__ import annotations

from gateway.fronts.admin.ui.access import way_back
from gateway.fronts.admin.ui.session import LIFETIME, cookie_name, read_session, same_csrf, seal_session

NOW = 1_800_000_000.0


def test_a_session_lasts_twelve_hours() -> None:
    cookie = seal_session("token", NOW, "nonce")
    assert read_session("token", cookie, NOW) is not None
    assert read_session("token", cookie, NOW + LIFETIME - 1) is not None
    assert read_session("token", cookie, NOW + LIFETIME) is None
    assert LIFETIME == 12 * 3600


def test_another_token_ends_all_sessions() -> None:
    assert read_session("another", seal_session("token", NOW, "nonce"), NOW) is None


def test_what_was_not_sealed_here_is_no_session() -> None:
    cookie = seal_session("token", NOW, "nonce")
    expires, nonce, signature = cookie.split(".")
    forged = [
        "",
        ".",
        "..",
        "x",
        cookie[:-1],
        f"{int(expires) + 9999}.{nonce}.{signature}",
        f"{expires}.other.{signature}",
        f"{expires}.{nonce}.",
        "é" + cookie,
        f"{nonce}.{signature}",
    ]
    assert [read_session("token", each, NOW) for each in forged] == [None] * len(forged)


def test_a_csrf_token_belongs_to_one_session() -> None:
    first = read_session("token", seal_session("token", NOW, "a"), NOW)
    second = read_session("token", seal_session("token", NOW, "b"), NOW)
    assert first is not None
    assert second is not None
    assert same_csrf(first, first.csrf)
    assert not same_csrf(first, second.csrf)
    assert not same_csrf(first, "")
    assert not same_csrf(first, "é")


def test_nothing_in_a_cookie_tells_the_token_or_the_csrf_token() -> None:
    cookie = seal_session("token", NOW, "nonce")
    session = read_session("token", cookie, NOW)
    assert session is not None
    assert "token" not in cookie
    assert session.csrf not in cookie


def test_two_gateways_on_one_host_do_not_share_a_cookie() -> None:
    assert cookie_name("token") != cookie_name("another")


def test_after_signing_in_nobody_is_sent_to_another_site() -> None:
    inside = ["/-/ui", "/-/ui/entries?route=a&after=b", "/-/ui?range=1h"]
    outside = [
        "https://example.org",
        "//example.org",
        "/-/uix",
        "/-/config",
        "/-/ui/\\example.org",
        "/-/ui/\r\nx: y",
        "",
    ]
    assert [way_back(path) for path in inside] == inside
    assert {way_back(path) for path in outside} == {"/-/ui"}
