"""The one secret, `server.digest_key`, and the keys derived from it.

Each purpose (digests of scopes, keys of entries, sealing) gets its own 32 bytes by HKDF-SHA256, so that none tells
anything about another. With the embedded PostgreSQL the secret is generated once into the data folder.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import ConfigError

SCHEME = b"semgate/1/"
SHORTEST = 16


def derive(digest_key: str | bytes, purpose: bytes) -> bytes:
    """32 bytes for this purpose, the same wherever the key is the same."""
    secret = digest_key.encode() if isinstance(digest_key, str) else digest_key
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=SCHEME + purpose).derive(secret)


def load_or_create_digest_key(data_dir: str | Path) -> str:
    """The generated secret of this data folder. Processes that start at once all get the same one.

    Raises ConfigError when it can neither be read nor written.
    """
    folder = Path(data_dir).expanduser()
    path = folder / "digest.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        key = path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"server.data_dir: {path}: {error.strerror}") from error
    if len(key) < SHORTEST:
        raise ConfigError(f"server.data_dir: {path} is shorter than {SHORTEST} characters; remove it to make a new one")
    return key


def _create(path: Path) -> None:
    """Whole or not at all: written beside (mkstemp: mode 0600), then linked, which fails where somebody was faster."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".digest.key.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
    finally:
        Path(beside).unlink()
