"""What a look-up did, step by step, for whoever asks why. A Trace rides along in the Query and changes nothing.

So an explanation is the decision itself, watched: the same code asks the same tiers in the same order. Nobody's request
has a Trace, and where there is none nothing is noted.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.core.events import Stage
from gateway.core.messages import Candidate, Entry, Subject, Vector
from gateway.core.policy import StaleUse

NOT_REACHED = "near enough, but not reached"
NOT_ACCEPTED = "the second opinion says no"
FOUND_WRONG = "this pair was found wrong"
ACCEPTED = "the second opinion says yes, but not reached"
BELOW = "below the threshold"
GONE = "expired, purged or gone since"
SERVED = "served"
OLDER = "older than the client's max-age"
OTHER_FORM = "cannot be had in the form asked for"
_STALE = {
    StaleUse.FRESH: SERVED,
    StaleUse.REVALIDATE: "served past its ttl, while a new answer is fetched",
    StaleUse.IF_ERROR: "past its ttl: only should the upstream fail",
    StaleUse.NONE: "expired",
}


class Step(msgspec.Struct, frozen=True):
    """What was done and what came of it, in words without a secret; `seconds` since the step before."""

    name: str
    result: str
    seconds: float


class Considered(msgspec.Struct, frozen=True):
    """An entry that was looked at. `similarity` is 1 where it stands under these very words; `score` is the second
    opinion's, where one was asked."""

    id: str
    similarity: float
    why: str
    served: bool = False
    score: float | None = None


class Trace:
    """`clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.subject: Subject | None = None
        self.steps: list[Step] = []
        self._considered: dict[str, Considered] = {}
        self._clock = clock
        self._at = clock()

    @property
    def candidates(self) -> list[Considered]:
        """Nearest first."""
        return sorted(self._considered.values(), key=lambda each: -each.similarity)

    def step(self, name: str, result: str) -> None:
        now = self._clock()
        self.steps.append(Step(name, result, now - self._at))
        self._at = now

    def asked(self, subject: Subject) -> None:
        self.subject = subject
        compared = "these words only" if subject.exact_only else "its text may be worded otherwise"
        self.step("subject", f"a text of {len(subject.text)} characters; {compared}")

    def looked(self, tier: str, entry: Entry | None) -> None:
        """A tier was asked for these very words."""
        self.step(tier, "nothing under these words" if entry is None else f"found {entry.id}")

    def embedded(self, vector: Vector) -> None:
        self.step(Stage.EMBED, f"{len(vector) // 4} dimensions")

    def near(self, candidates: list[Candidate], threshold: float) -> None:
        """The nearest of the partition; of those at the threshold or above, the first that can be is served."""
        above = sum(each.similarity >= threshold for each in candidates)
        best = f", the nearest at {candidates[0].similarity:.4f}" if candidates else ""
        self.step(Stage.NEAREST, f"{len(candidates)} asked before{best}; {above} at {threshold:g} or above")
        for each in candidates:
            why = NOT_REACHED if each.similarity >= threshold else BELOW
            self._considered[each.id] = Considered(each.id, each.similarity, why)

    def opinion(self, candidate: Candidate, score: float, accepted: bool) -> None:
        """What the verifier says of a candidate."""
        self.step(Stage.VERIFY, f"{score:.3f} for {candidate.id}: {'accepted' if accepted else 'not accepted'}")
        why = ACCEPTED if accepted else NOT_ACCEPTED
        self._considered[candidate.id] = Considered(candidate.id, candidate.similarity, why, score=score)

    def judged(self, entry_id: str, similarity: float | None, why: str, *, served: bool = False) -> None:
        """Why an entry was served, or was not."""
        nearness = 1.0 if similarity is None else similarity
        before = self._considered.get(entry_id)
        score = None if before is None else before.score
        self._considered[entry_id] = Considered(entry_id, nearness, why, served, score)

    def used(self, entry_id: str, similarity: float | None, use: StaleUse) -> None:
        """What an entry is good for, by its age."""
        served = use in (StaleUse.FRESH, StaleUse.REVALIDATE)
        self.judged(entry_id, similarity, _STALE[use], served=served)
