"""Which content-codings a client takes, by Accept-Encoding and its weights (RFC 9110, 12.5.3 and 12.4.2).

Header names are lower-case; names of codings are matched in any case, and `x-gzip` is `gzip` (8.4.1.3). What cannot be
read as a weight refuses its coding, and of a coding that is named twice the smaller weight counts: in doubt a client
gets less than it might have taken, never what it cannot read.
"""

from __future__ import annotations

from gateway.core.asgi import HeaderList

GZIP = b"gzip"
IDENTITY = b"identity"
# What we can send, the cheapest for its size first: so are equal weights decided (measured, see gateway/encodings.py).
CODINGS = (b"zstd", b"br", GZIP, b"deflate")
ANY = b"*"


def choose_encoding(headers: HeaderList, compressed: bool) -> bytes | None:
    """The coding in which to send an answer that is kept decoded; None if the client accepts nothing that we have.

    IDENTITY wherever it is acceptable, unless the upstream had `compressed` the answer: then the client's best, and
    IDENTITY only where it weighs more than every other. Without the header it is IDENTITY: any coding would be allowed,
    but those who send none seldom read any.
    """
    if not compressed:
        for name, value in headers:
            if name == b"accept-encoding" and b";" in value:
                break
        else:
            return IDENTITY  # nothing is refused without a weight
    field = _field(headers)
    if field is None:
        return IDENTITY
    weights = _weights(field)
    if not compressed and _identity(weights):
        return IDENTITY
    best = max(CODINGS, key=lambda coding: _weight(weights, coding))  # the first of equals
    most, plain = _weight(weights, best), _identity(weights)
    # Identity that is not spoken of is acceptable, but whoever lists codings would rather have one of them.
    spoken_of = IDENTITY in weights or ANY in weights
    if most > 0 and (most >= plain or not spoken_of):
        return best
    return IDENTITY if plain else None


def accepts(headers: HeaderList, coding: bytes) -> bool:
    """May an answer with this Content-Encoding (one coding, a list of them, or nothing) be sent as it is?

    Without an Accept-Encoding only an answer that is not coded may, as `choose_encoding` would have it.
    """
    field = _field(headers)
    applied = [name for item in coding.lower().split(b",") if (name := _named(item)) not in (b"", IDENTITY)]
    if field is None:
        return not applied
    weights = _weights(field)
    return all(_weight(weights, name) > 0 for name in applied) if applied else _identity(weights) > 0


def _field(headers: HeaderList) -> bytes | None:
    """All Accept-Encoding lines as one (RFC 9110, 5.3), lower-case; None where there is none."""
    lines = [value for name, value in headers if name == b"accept-encoding"]
    return b",".join(lines).lower() if lines else None


def _weights(field: bytes) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for item in field.split(b","):
        coding, _, parameters = item.partition(b";")
        if name := _named(coding):
            weights[name] = min(weights.get(name, 1.0), _quality(parameters) if parameters else 1.0)
    return weights


def _named(coding: bytes) -> bytes:
    name = coding.strip()
    return GZIP if name == b"x-gzip" else name


def _quality(parameters: bytes) -> float:
    """The weight among a coding's parameters: 0 to 1, and 1 where there is none."""
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            return _number(value.strip())
    return 1.0


def _number(text: bytes) -> float:
    """0 for what is no number. Longer fractions than the three digits that are allowed are understood."""
    whole, _, fraction = text.partition(b".")
    if not (whole + fraction).isdigit():  # neither signs nor exponents, nor `nan`
        return 0.0
    return min(1.0, float(text))


def _weight(weights: dict[bytes, float], coding: bytes) -> float:
    """0 where the coding is refused, or not spoken of."""
    return weights.get(coding, weights.get(ANY, 0.0))


def _identity(weights: dict[bytes, float]) -> float:
    """Acceptable unless it, or everything that is not listed, is refused."""
    return weights.get(IDENTITY, weights.get(ANY, 1.0))
