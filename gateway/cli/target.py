"""Which gateway is meant: its address, the admin token, and how its certificate is checked.

The routes file says all three unless an option does. It may be broken, or need variables that are not set here: only
what is asked of it must be readable. Its token goes to its own address, or where `--config` was given beside `--url`:
a file that merely lies in the current folder must not lend its token to another gateway.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec

from gateway.cli.options import TOKEN_VARIABLE, Reach, chosen_file
from gateway.config.findings import Draft
from gateway.config.load import load
from gateway.config.model import Server
from gateway.runtime.addresses import split_address

# What a socket listens on, and where it is found then.
_EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_END = "-----END CERTIFICATE-----\n"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Target(msgspec.Struct, frozen=True):
    """`pinned` is the PEM file with the certificate that the gateway itself must show (None: any that is trusted for its
    name); `direct`: the proxy of the environment is not for this address."""

    url: str
    token: str
    pinned: Path | None
    direct: bool


def find_target(reach: Reach) -> Target:
    """Raises UsageError where address or token cannot be known."""
    file = chosen_file(reach.config)
    draft = _read(file) if reach.url is None or not reach.token else None
    if reach.url is not None:
        url = _checked(reach.url)
        own = draft is not None and not _is_broken(draft) and _address(draft.file.server) == url
        lends = own or reach.config is not None or bool(os.environ.get("SEMGATE_CONFIG"))
        return Target(url, _token(reach, draft if lends else None), None, _host(url) in _LOOPBACK)
    if draft is None:
        why = "cannot be read (`semgate check` tells more)" if file.is_file() else "is not there"
        raise click.UsageError(f"{file} {why}: --url says where the gateway is, --config where its routes file")
    if _is_broken(draft):
        raise click.UsageError(
            f"{file} does not say where the gateway listens: `semgate check` tells more; or give --url"
        )
    server = draft.file.server
    pinned = None if server.tls is None else Path(server.tls.cert)
    return Target(_address(server), _token(reach, draft), pinned, direct=True)


def certificate_check(target: Target) -> ssl.SSLContext | bool:
    """What httpx verifies by. The file's own certificate is pinned: it is seldom made out to 127.0.0.1, and is known."""
    if target.pinned is None or not target.url.startswith("https:"):
        return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        # The first one only: trusting the rest of the chain would admit whatever else its issuer signed.
        leaf = target.pinned.read_text(encoding="ascii", errors="replace").split(_END)[0] + _END
        context.load_verify_locations(cadata=leaf)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"server.tls.cert {target.pinned} cannot be used here: give --url") from error
    return context


def _read(file: Path) -> Draft | None:
    if not file.is_file():
        return None
    return load(file, os.environ).draft


def _is_broken(draft: Draft) -> bool:
    """Do neutral values stand where the address is said?"""
    places = [("server", "listen"), ("server", "admin", "listen"), ("server", "tls")]
    return any(place[:length] in draft.broken for place in places for length in range(len(place) + 1))


def _token(reach: Reach, draft: Draft | None) -> str:
    token = reach.token or ("" if draft is None else draft.file.server.admin.token)
    if not token:
        raise click.UsageError(
            f"the admin token is needed: set ${TOKEN_VARIABLE}, or give --token (or --config with server.admin.token)"
        )
    if not token.isascii() or not token.isprintable():
        raise click.UsageError("the admin token has characters that no header can hold")
    return token


def _address(server: Server) -> str:
    host, port = split_address(server.admin.listen or server.listen)
    host = _EVERYWHERE.get(host, host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'http' if server.tls is None else 'https'}://{shown}:{port}"


def _checked(url: str) -> str:
    """As an origin with at most a path; a missing scheme is http."""
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None:
        raise click.UsageError("--url: expected http://host:port or https://host:port")
    return whole.rstrip("/").removesuffix("/-")


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def preset_of(reach: Reach, route: str) -> str | None:
    """The preset of a route of the routes file; None where the file, the route or its preset is not there."""
    draft = _read(chosen_file(reach.config))
    routes = () if draft is None else draft.file.routes
    return next((each.preset for each in routes if each.name == route), None)
