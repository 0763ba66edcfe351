"""Which content-coding a client accepts, by RFC 9110 12.5.3, for an answer that is kept decoded."""

from __future__ import annotations

GZIP = b"gzip"
IDENTITY = b"identity"


def choose_encoding(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """IDENTITY wherever the client allows it (it nearly always does), else GZIP, or None if it takes neither."""
    fields = [value for name, value in headers if name == b"accept-encoding"]
    if not any(b"q=0" in value for value in fields):
        return IDENTITY  # identity is acceptable unless it is excluded
    weights = _weights(b",".join(fields))
    if weights.get(IDENTITY, weights.get(b"*", 1.0) or weights.get(IDENTITY, 0.0)) > 0:
        return IDENTITY
    return GZIP if weights.get(GZIP, weights.get(b"*", 0.0)) > 0 else None


def _weights(field: bytes) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for item in field.lower().split(b","):
        coding, _, parameters = item.partition(b";")
        name, _, value = parameters.strip().partition(b"=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == b"q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights
