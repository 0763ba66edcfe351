"""An upstream that cannot work as it is written is refused when it is made, not when it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.proxy.upstream import Pool, Upstream


@pytest.mark.parametrize(
    "url", ["", "api.example.com", "ftp://example.com", "http://", "https:///path", "/only/a/path"]
)
def test_a_url_that_is_not_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="url: not an http"):
        Pool(Upstream(name="u", url=url))


def test_a_proxy_that_is_not_http_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy: not an http"):
        Pool(Upstream(name="u", url="http://u", proxy="socks5://localhost"))


@pytest.mark.parametrize("header", [(b"authorization", b"Bearer secret\n"), (b"x y", b"secret"), (b"", b"secret")])
def test_a_header_that_cannot_be_sent_is_refused_without_telling_its_value(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="may not stand in a header") as refused:
        Pool(Upstream(name="u", url="http://u", headers=(header,)))
    assert "secret" not in str(refused.value)


def test_an_authority_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "not.pem").write_text("nothing of the kind")
    for ca in (tmp_path / "absent.pem", tmp_path / "not.pem"):
        with pytest.raises(OSError):
            Pool(Upstream(name="u", url="https://u", ca=str(ca)))


def test_equal_upstreams_are_equal_keys() -> None:
    first, second = (Upstream(name="u", url="http://u", headers=((b"a", b"b"),)) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
