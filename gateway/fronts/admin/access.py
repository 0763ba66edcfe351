"""Who may use the operator's door: the bearer token, and what becomes of those who guess at it.

Without a configured token there is nothing to guess: the paths do not exist. Wrong tokens are counted by address; too
many, and the answer is 429 for a while. The right token passes even then, or whoever shares an address with a guesser
(behind one proxy, all do) would be locked out: what keeps guessers out is the token's length, the limit keeps them quiet.
"""

from __future__ import annotations

import hmac
import math
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Any, NoReturn

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, NotFoundException, TooManyRequestsException
from litestar.handlers import BaseRouteHandler

from gateway.fronts.admin.operations import Operations

MOST_FAILURES = 10
WINDOW = 60.0
MOST_ADDRESSES = 4096


class Failures:
    """Wrong tokens of the last minute by client address, `most` of them; `clock` is monotonic, in seconds. At most
    MOST_ADDRESSES are remembered, and the one that failed longest ago is forgotten first."""

    def __init__(self, clock: Callable[[], float], most: int = MOST_FAILURES) -> None:
        self._clock = clock
        self._most = most
        self._times: OrderedDict[str, list[float]] = OrderedDict()

    def add(self, address: str) -> int:
        """One more from there. Seconds to stay away: 0 while it is within bounds."""
        now = self._clock()
        times = [each for each in self._times.pop(address, []) if each > now - WINDOW]
        if len(times) < self._most:
            times.append(now)
            wait = 0
        else:  # not counted: the window would never end for who asks on and on
            wait = max(1, math.ceil(times[0] + WINDOW - now))
        self._times[address] = times
        if len(self._times) > MOST_ADDRESSES:
            self._times.popitem(last=False)
        return wait


def needs_token(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Guard: as `check_token`."""
    check_token(connection)


def check_token(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Without a configured token the path does not exist (404); a wrong or missing one is 401, too many wrong ones 429."""
    token = operations_of(connection).admin_token
    if not token:
        raise NotFoundException(detail="set server.admin.token to use this path")
    scheme, _, presented = connection.headers.get("authorization", "").partition(" ")
    # Header bytes come as latin-1; what was sent is what is compared.
    given = presented.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""
    if not given:
        raise unauthorized("send the admin token as `Authorization: Bearer TOKEN`")
    if not is_token(given, token):
        refuse(connection)


def is_token(given: bytes, token: str) -> bool:
    """In constant time, whatever the lengths."""
    return hmac.compare_digest(sha256(given).digest(), sha256(token.encode()).digest())


def refuse(connection: ASGIConnection[Any, Any, Any, Any]) -> NoReturn:
    """Count a wrong token. Raises 401, or 429 after too many."""
    failures: Failures = connection.app.state.failures
    wait = failures.add(_address(connection))
    if wait:
        raise TooManyRequestsException(
            detail=f"too many wrong tokens from this address; try again in {wait} s", headers={"Retry-After": str(wait)}
        )
    raise unauthorized("this is not the admin token (server.admin.token)")


def operations_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Operations:
    operations: Operations = connection.app.state.operations
    return operations


def unauthorized(detail: str) -> NotAuthorizedException:
    """The error for who has shown nothing that is known here."""
    return NotAuthorizedException(detail=detail, headers={"WWW-Authenticate": 'Bearer realm="semgate admin"'})


def _address(connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    """The peer's. Of an IPv6 address the first 64 bits: the rest is one customer's to choose."""
    host = connection.client.host if connection.client is not None else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or address.exploded[:19])
    return str(address)
