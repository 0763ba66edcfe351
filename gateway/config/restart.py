"""Which changed settings take effect at the next start only: what the launcher fixes before any worker runs. Pure.

Everything else is compiled anew by a reload, keys and seals (`namespace`, `digest_key`) included: what they kept before is then
neither found nor opened, and expires.
"""

from __future__ import annotations

from gateway.config.model import EMBEDDED_POSTGRES, File

# The launcher binds these doors, starts these workers, and gives Granian these bounds.
FIXED = ("listen", "workers", "max_connections", "drain", "tls", "data_dir")


def restart_needed(old: File, new: File) -> list[str]:
    """The settings that differ and that a running gateway cannot take over, by their path in the file, in its order."""
    found = [f"server.{name}" for name in FIXED if getattr(old.server, name) != getattr(new.server, name)]
    if old.server.admin.listen != new.server.admin.listen:
        found.append("server.admin.listen")
    if _embedded(old) != _embedded(new):
        found.append("stores.postgres.url")
    elif _embedded(new) and old.stores.postgres.pool < new.stores.postgres.pool:
        found.append("stores.postgres.pool")  # the embedded server was started for fewer connections
    return found


def _embedded(file: File) -> bool:
    return file.stores.postgres.url == EMBEDDED_POSTGRES
