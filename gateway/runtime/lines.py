"""An entry as one line of JSON, and back: what an export writes and an import reads.

The question and the answer are open in it; scope, partition and key are digests, which mean something only where they
were made: so the line carries the fingerprint of their making, and is refused where another is in use. Anybody may have
edited the file since: what no gateway would have stored is refused as well.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from gateway.config.units import LONGEST
from gateway.core.keys import DIGEST_SIZE
from gateway.core.messages import Cost, Entry, Form, Shelfmark, Vector
from gateway.core.shelving import MOST_ATTRIBUTES, unfit
from gateway.core.status import replayable
from gateway.core.tags import all_tags
from gateway.proxy.headers import CONTROL
from gateway.stores.catalog import Whole
from gateway.stores.schema import Space


class Mark(msgspec.Struct, frozen=True):
    """What an entry that was put by hand is found by; digests in hexadecimal."""

    words: str
    attributes: dict[str, str]
    labels: list[str]


class Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """What belongs to the entry alone. `keys` is the fingerprint; bytes are hexadecimal, the vector base64 of
    little-endian float32 in its `space` (empty: there is none). `encoding` as in the admin API's entries."""

    id: str
    keys: str
    scope: str
    partition: str
    exact: str
    status: int
    headers: list[tuple[str, str]]
    body: str
    encoding: str
    form: Form
    asked_at: float
    cost: Cost
    stale: float
    pace: str
    compressed: bool
    usage_asked: bool
    space: str
    vector: str
    mark: Mark | None = None


class ExportedLine(msgspec.Struct, frozen=True):
    route: str
    question: str | None
    tags: list[str]
    created_at: float
    expires_at: float
    stored: Stored


class Read(msgspec.Struct, frozen=True):
    """A line that was read back."""

    entry: Entry
    question: str | None
    keys: str
    space: str
    vector: Vector | None


def write_line(whole: Whole, keys: str) -> bytes:
    """`keys`: the fingerprint of the route's digests. The entry must be open."""
    entry, listed = whole.entry, whole.listed
    assert entry is not None
    body, encoding = as_text(entry.body)
    stored = Stored(
        id=entry.id,
        keys=keys,
        scope=entry.scope.hex(),
        partition=entry.partition.hex(),
        exact=entry.exact.hex(),
        status=entry.status,
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in entry.headers],
        body=body,
        encoding=encoding,
        form=entry.form,
        asked_at=entry.asked_at,
        cost=entry.cost,
        stale=entry.stale,
        pace=entry.pace.hex(),
        compressed=entry.compressed,
        usage_asked=entry.usage_asked,
        space=whole.space.identity,
        vector=base64.b64encode(whole.vector or b"").decode(),
        mark=None if entry.mark is None else _write_mark(entry.mark),
    )
    line = ExportedLine(entry.route, listed.question, list(entry.tags), entry.created_at, entry.expires_at, stored)
    return msgspec.json.encode(line) + b"\n"


def read_line(text: bytes) -> Read:
    """Raises ValueError saying what is wrong with it (msgspec's own errors are ValueErrors)."""
    line = msgspec.json.decode(text, type=ExportedLine)
    stored = line.stored
    try:
        vector = base64.b64decode(stored.vector, validate=True)
        digests = [bytes.fromhex(each) for each in (stored.scope, stored.partition, stored.exact)]
        entry = Entry(
            id=stored.id,
            route=line.route,
            scope=digests[0],
            partition=digests[1],
            exact=digests[2],
            status=stored.status,
            headers=replayable(
                tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in stored.headers)
            ),
            body=as_bytes(stored.body, stored.encoding),
            asked_at=stored.asked_at,
            created_at=line.created_at,
            expires_at=line.expires_at,
            cost=stored.cost,
            form=stored.form,
            stale=stored.stale,
            pace=bytes.fromhex(stored.pace),
            compressed=stored.compressed,
            usage_asked=stored.usage_asked,
            tags=tuple(line.tags),
            mark=None if stored.mark is None else _read_mark(stored.mark),
        )
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise ValueError(f"what is stored cannot be read: {error}") from None
    if entry.mark is not None:
        digests += [entry.mark.words, *entry.mark.labels]
    if any(len(digest) != DIGEST_SIZE for digest in digests):
        raise ValueError("what is stored cannot be read: digests have 64 hexadecimal digits")
    wrong = _wrong_with(entry)
    if wrong:
        raise ValueError(f"what is stored cannot be: {wrong}")
    return Read(entry, line.question, stored.keys, stored.space, vector or None)


def _wrong_with(entry: Entry) -> str:
    """Each of these would spoil every hit: as an answer that cannot be sent, or as a figure that makes no sense."""
    if not 200 <= entry.status <= 599:
        return "`status` is a number from 200 to 599"
    if any(CONTROL.search(value) for _, value in entry.headers):
        return "a header has a line break or another control character"
    if not (0 <= entry.created_at <= entry.expires_at <= entry.created_at + LONGEST and 0 <= entry.stale <= LONGEST):
        return "its times do not fit together"
    if entry.cost.prompt < 0 or entry.cost.completion < 0:
        return "its tokens are below 0"
    if all_tags(entry.tags, ()) is None:
        return "its tags are too many or too long"
    if entry.mark is not None and len(entry.mark.labels) > MOST_ATTRIBUTES + 1:
        return "its labels are too many"
    return "" if entry.mark is None else unfit(dict(entry.mark.attributes))


def _write_mark(mark: Shelfmark) -> Mark:
    return Mark(mark.words.hex(), dict(mark.attributes), [label.hex() for label in mark.labels])


def _read_mark(mark: Mark) -> Shelfmark:
    """Raises ValueError."""
    labels = tuple(bytes.fromhex(label) for label in mark.labels)
    return Shelfmark(bytes.fromhex(mark.words), tuple(sorted(mark.attributes.items())), labels)


def as_text(body: bytes) -> tuple[str, str]:
    """The body as text, and how it is written: `utf-8`, or `base64` where it is not that."""
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def as_bytes(text: str, encoding: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text, validate=True) if encoding == "base64" else text.encode()


def same_space(read: Read, space: Space) -> bool:
    """Can its vector be compared with those of this space?"""
    dimensions = space.dimensions
    return read.vector is not None and read.space == space.identity and len(read.vector) == 4 * (dimensions or 0)
