"""`semgate clients new NAME`: a fresh key, shown once, and the lines of the routes file that admit it. Nothing is stored."""

from __future__ import annotations

import hashlib
import secrets

import click
import msgspec

from gateway.cli.failure import note
from gateway.cli.showing import write, write_json
from gateway.config.model import Client
from gateway.config.tree import kind_of

PREFIX = "sg-"
RANDOM_BYTES = 32


def new_client(name: str, form: str) -> int:
    """Print key and hash. A name that no routes file could hold is wrong use."""
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    try:
        msgspec.convert({"name": name, "key_sha256": digest}, Client)
    except msgspec.ValidationError as error:
        raise click.UsageError(
            "a client's name has letters, digits, `_`, `.` and `-` (63 at most, the first a letter or digit)"
        ) from error
    if form == "json":
        write_json({"name": name, "key": key, "key_sha256": digest})
        return 0
    write(f"key (shown once; give it to {name}):\n  {key}\n\nfor the routes file:")
    write(f"clients:\n  - name: {_scalar(name)}\n    key_sha256: {_scalar(digest)}")
    note("nothing was stored: a lost key cannot be had again, make another")
    return 0


def _scalar(text: str) -> str:
    """In quotes where YAML would take it for a number or a boolean."""
    return text if kind_of(text) == "text" else f'"{text}"'
