"""What a route learns once a client has its answer: hits that were held back, and audits, compared with the upstream's.

It knows what was answered and what is kept of it; when anything is compared, and what becomes of that, is the Trial's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.core.judgement import Finding, Origin
from gateway.core.messages import Cost, Entry, Hit, Miss, Reason
from gateway.core.recording import Recording
from gateway.core.synthesis import Draft
from gateway.engine.keep import Keeper
from gateway.engine.synthesis import Synthesis
from gateway.engine.trial import AUDIT_SECONDS, Trial


class Learning:
    """One route's; without a trial there is nothing to learn. `used` counts the use of an entry; `synthesis` makes the answers
    that shadow mode compares."""

    def __init__(
        self,
        trial: Trial | None,
        keeper: Keeper,
        used: Callable[[Hit, float], Awaitable[None]],
        synthesis: Synthesis | None = None,
    ) -> None:
        self._trial = trial
        self._synthesis = synthesis
        self._keeper = keeper
        self._used = used

    async def learn(self, miss: Miss) -> None:
        """The answer to this request went out, and was kept if it is to be: compare it with what was held back."""
        hit, recording = miss.would_be, miss.recording
        if self._trial is None or recording is None or (hit is None and miss.draft is None):
            return
        kept = keeps(miss)
        fresh = recording.entry if kept else await self._keeper.read(recording)
        if miss.draft is not None and miss.reason is Reason.SHADOW:
            await self._rehearse(self._trial, miss.draft, recording, fresh)
        if hit is None:
            return
        finding = await self._trial.judge(Origin.SHADOW, hit, recording.subject, fresh)
        if miss.reason is not Reason.SHADOW:
            return
        if finding is not Finding.WRONG:
            await self._used(hit, recording.asked_at)
        elif fresh is not None and not kept:
            await self._keeper.put(fresh, recording)

    async def audit(self, hit: Hit, ask: Callable[[Recording], Awaitable[None]]) -> Cost | None:
        """The hit went out, and is to be audited: `ask` the upstream as well, and compare. What that cost, if it answered
        well."""
        trial, recording = self._trial, hit.audit
        if trial is None or recording is None:
            return None
        with trial.auditing() as may:
            if not may:
                return None
            try:
                async with asyncio.timeout(AUDIT_SECONDS):
                    await ask(recording)
            except TimeoutError:
                recording.abandon(Reason.INCOMPLETE)
            fresh = await self._keeper.read(recording)
            stored = self._keeper.keeps(hit.entry)
            finding = await trial.judge(Origin.AUDIT, hit, recording.subject, fresh, stored=stored)
            if fresh is not None and finding is Finding.WRONG:
                await self._keeper.put(fresh, recording)
            return None if fresh is None else fresh.cost

    async def _rehearse(self, trial: Trial, draft: Draft, recording: Recording, fresh: Entry | None) -> None:
        """What would a model have made of the kept answers? It is asked only where there is something to compare with."""
        if self._synthesis is None or fresh is None:
            return
        hit = await self._synthesis.rehearse(draft)
        if hit is not None:
            await trial.judge(Origin.SHADOW, hit, recording.subject, fresh, stored=False)


def keeps(miss: Miss) -> bool:
    """Is its answer kept? In shadow mode not where there is an entry that would have been served: the cache shall become
    what it would if it served."""
    return miss.would_be is None or miss.would_be.stale or miss.reason is not Reason.SHADOW
