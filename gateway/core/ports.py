"""What the engine asks of the outside: stores, embedders, the event sink. Protocols only; adapters live on floor 3.

Every method may raise the `CacheTrouble` named in its docstring and nothing else; the engine turns it into a miss.
Time budgets and breakers are the engine's: an adapter just does its one thing and may be cancelled at any await.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from gateway.core.events import Event
    from gateway.core.messages import Candidate, Cost, Entry, Form, Headers, Near, Reason, Source, Vector
    from gateway.core.purges import Purge
    from gateway.core.quota import Limits, Usage


class ExactStore(Protocol):
    """Entries by exact key (`Entry.exact`): memory and Redis."""

    @property
    def source(self) -> Source: ...

    async def get(self, exact: bytes, now: float) -> Entry | None:
        """The entry under this key if it has not expired at `now` (Unix seconds). Raises StoreError.

        A store keeps an entry until its stale time is over and knows no more of staleness than that: callers who may use
        a stale entry ask with `now` less their route's stale window (one for all who share a key), and decide by the
        entry's own times what it is good for.
        """

    async def put(self, entry: Entry) -> None:
        """Store until `entry.expires_at` plus `entry.stale`, replacing what has the same key. Raises StoreError."""

    async def ping(self) -> None:
        """Raises StoreError when the store cannot be used now."""

    async def close(self) -> None: ...


class EntryStore(ExactStore, Protocol):
    """PostgreSQL: entries by exact key and by nearness within one partition, for one embedding space."""

    @property
    def space(self) -> str | None:
        """The name of the embedding space; None while it is not known."""

    async def nearest(
        self, partition: bytes, vector: Vector, k: int, load_at: float, now: float, *, questions: bool = False
    ) -> list[Candidate]:
        """Up to k unexpired entries of the partition, nearest first. The first carries its entry if at `load_at`
        similarity or above; with `questions` all at that similarity carry the words that they were asked for in. `now` as
        in `get`: less the route's stale window. Raises StoreError."""

    async def fetch(self, entry_id: str, now: float) -> Entry | None:
        """One unexpired entry by id. Raises StoreError."""

    async def vector(self, entry_id: str) -> Vector | None:
        """The vector of one entry, b"" where it has none; None where there is no such entry. Raises StoreError."""

    async def keep(self, entry: Entry, question: str, vector: Vector | None) -> None:
        """Store the row in one write; a vector of None makes it findable by its exact key only. Raises StoreError."""

    def used(self, entry_id: str, at: float) -> None:
        """Count a hit of any tier; written in batches later, never in the caller's way."""


class ShelfStore(Protocol):
    """PostgreSQL: entries that were put by hand, for one embedding space. Every method may raise StoreError."""

    async def same_words(self, words: bytes, labels: Sequence[bytes], k: int, now: float) -> list[Entry]:
        """Up to k unexpired entries with this digest of words and all of these labels; those with the fewest labels first,
        of as many the newest."""

    async def nearest_labelled(
        self, partition: bytes, vector: Vector, labels: Sequence[bytes], k: int, load_at: float, now: float
    ) -> list[Candidate]:
        """As `EntryStore.nearest` with `questions`, among those with all of these labels."""


class ShelfRemoval(Protocol):
    """PostgreSQL: removing what was put by hand. Every method may raise StoreError."""

    async def remove(self, route: str, entry_id: str, scope: bytes | None, labels: Sequence[bytes]) -> bool:
        """One entry, if it is of this scope, where one is given, and has all of these labels. False: there is none."""

    async def remove_labelled(self, route: str, scope: bytes, labels: Sequence[bytes]) -> int:
        """Those of a scope that have all of these labels, one at least. How many went."""

    async def remove_scope(self, route: str, scope: bytes) -> int:
        """All of a scope. How many went."""

    async def purge(self, purge: Purge) -> int:
        """A purge like an operator's, in effect everywhere; how many went now."""


class Embedder(Protocol):
    """Text to unit vector. The vector of a text is a function of the text alone, never of load or batch."""

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit where the text is longer than the model's window (it is never truncated) or has words that the
        model does not know, else EmbedError."""

    async def ping(self) -> None:
        """Raises EmbedError when the embedder cannot be used now."""

    async def close(self) -> None: ...


class Verifier(Protocol):
    """A second opinion on pairs of questions: is the answer to the other one right for this one?"""

    @property
    def batch(self) -> int:
        """How many candidates to ask about at once; they are asked about nearest first, until one is accepted."""

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        """For each, 0 to 1: how sure it is that the answer is right. Raises VerifierError."""

    async def ping(self) -> None:
        """Raises VerifierError when it cannot be asked now."""

    async def close(self) -> None: ...


class Writer(Protocol):
    """A cheap model that makes an answer of kept ones."""

    def order(self, message: str, most_tokens: int | None) -> Writing | None:
        """A text from this message, of so many tokens at most (None: as many as usual); None where that is beyond the
        budget. Nothing is asked yet."""


class Writing(Protocol):
    """One answer of it."""

    @property
    def cut(self) -> bool:
        """Did it end at its longest?"""

    @property
    def cost(self) -> Cost:
        """What it took, as the model says or, where it does not, as it is estimated."""

    @property
    def dollars(self) -> float | None:
        """The same in money; None where no price is known."""

    async def more(self) -> str:
        """The text that came since; "" once it is whole. The first call asks. Raises SynthesisError."""

    def close(self) -> None:
        """Read no further. May be called twice."""


class Emit(Protocol):
    def __call__(self, event: Event) -> None: ...


class Audience(Protocol):
    """Those who follow an answer while it passes by; a Recording tells them."""

    @property
    def followed(self) -> bool:
        """Is anybody there?"""

    def start(
        self, status: int, headers: Headers, form: Form, so_far: Callable[[], list[bytes]], *, synthesized: bool = False
    ) -> None:
        """The head, of an answer that may be shared as far as its head tells; `so_far` gives the body's pieces up to now,
        `synthesized`: it is made of kept answers."""

    def feed(self, chunk: bytes) -> None: ...

    def abandon(self, reason: Reason) -> None:
        """The answer will not be kept; INCOMPLETE, CLIENT_LEFT: and no more of it will come."""

    def finish(self) -> None:
        """The body ended, cleanly unless no more of it would come."""

    def land(self, entry: Entry | None) -> None:
        """It is known whether the answer is kept, and as what."""


class Seat(Protocol):
    """One follower's place."""

    def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of the stream that is followed, from its start, as they come."""

    def leave(self) -> None: ...


class Locks(Protocol):
    """Short locks that all processes of a deployment see. Keys are digests. Every method may raise StoreError."""

    async def acquire(self, key: bytes, seconds: float) -> bytes | None:
        """The holder's token, None where somebody else has the lock. It ends by itself after `seconds`."""

    async def release(self, key: bytes, token: bytes) -> None:
        """Give it back; another's lock stays."""


class Counters(Protocol):
    """What declared clients used in the last minute, the same for all processes. Every method may raise StoreError."""

    async def admit(self, client: str, limits: Limits) -> Usage:
        """Count one request if the client is not over its requests or tokens, looking and counting at once."""

    async def add(self, client: str, tokens: int) -> None:
        """Count what an answer cost."""


class Spending(Protocol):
    """The dollars that declared clients spent in a month (`2026-11`), over restarts. Every method may raise StoreError."""

    async def spent(self, client: str, month: str) -> float: ...

    async def spend(self, client: str, month: str, dollars: float) -> float:
        """Book it; what the month comes to with it."""
