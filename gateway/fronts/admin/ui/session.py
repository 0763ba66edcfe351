"""Sessions of the dashboard: what is in the cookie, and the CSRF token that belongs to it. Values in, values out.

Nothing is stored. A cookie is signed with a key that comes from the admin token, so every worker and replica accepts it,
and another token ends all sessions. It proves that somebody knew the token, until it expires; signing out takes it from
the browser.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

import msgspec

LIFETIME = 12 * 3600
"""Seconds."""

_SIGN = b"semgate dashboard session 1"
_CSRF = b"semgate dashboard csrf 1"
_NAME = b"semgate dashboard cookie 1"


class Session(msgspec.Struct, frozen=True):
    """`expires` in Unix seconds; `csrf` must come with everything that changes something."""

    expires: float
    csrf: str


def cookie_name(token: str) -> str:
    """Browsers tell no port from another, so two gateways on one host would sign each other out under one name."""
    return f"semgate_{_digest(token, _NAME, '')[:8]}"


def seal_session(token: str, now: float, nonce: str) -> str:
    """A new session's cookie; `nonce` is random text without dots."""
    payload = f"{int(now) + LIFETIME}.{nonce}"
    return f"{payload}.{_digest(token, _SIGN, payload)}"


def read_session(token: str, cookie: str, now: float) -> Session | None:
    """None: not signed with this token, or expired."""
    payload, _, signature = cookie.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _digest(token, _SIGN, payload).encode()):
        return None
    expires = int(payload.partition(".")[0])
    return Session(expires, _digest(token, _CSRF, payload)) if now < expires else None


def same_csrf(session: Session, presented: str) -> bool:
    return hmac.compare_digest(session.csrf.encode(), presented.encode())


def _digest(token: str, purpose: bytes, payload: str) -> str:
    key = hmac.digest(token.encode(), purpose, sha256)
    return hmac.digest(key, payload.encode(), sha256).hex()
