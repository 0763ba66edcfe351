"""Listen addresses as people write them."""

from __future__ import annotations


def split_address(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8080` or `[::1]:8080` -> host without brackets, port. Raises ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"expected host:port, got {listen!r}")
    return host.removeprefix("[").removesuffix("]"), int(port)
