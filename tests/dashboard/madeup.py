"""An Operations whose answers are made up, and which remembers what it was asked to do."""

from __future__ import annotations

import math
import random
import time
from collections.abc import AsyncIterator

from gateway.core.denial import Then
from gateway.errors import InvalidOrder, ReloadRefused, StoreError
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, SparedShown
from gateway.fronts.admin.operations import (
    Distribution,
    EntriesPage,
    EntryShown,
    EntryWhole,
    FileProblem,
    Imported,
    LookupAnswer,
    LookupCandidate,
    LookupQuestion,
    LookupStep,
    Moment,
    PurgeOrder,
    PurgeResult,
    Readiness,
    Reloaded,
    RouteStats,
    Running,
    RunningRoute,
    Saved,
    Stats,
)

TOKEN = "open-sesame-of-the-operator"
SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
NEARNESS = [0.5, 0.6, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 1.0]
QUESTIONS = [
    "How do I reset my password?",
    "What does the business plan cost per month, and is there a discount for schools?",
    "Can I export all invoices of last year as one PDF?",
    "Where is my data stored?",
    "How do I invite a colleague to my workspace?",
    "Which browsers do you support?",
    "How long are backups kept after an account is closed?",
    "Is there an API to change the billing address?",
    "Why does my upload stop at 99 %?",
    "How do I turn on two-factor authentication?",
]
NASTY = "<script>alert('question')</script> \"quoted\" & 'single' <img src=x onerror=alert(1)>"


def bell(bounds: list[float], centre: float, width: float, total: int) -> Distribution:
    """Counts around a class."""
    weights = [math.exp(-(((nth - centre) / width) ** 2)) for nth in range(len(bounds) + 1)]
    return Distribution(bounds, [round(total * weight / sum(weights)) for weight in weights])


class MadeUp:
    """`down`: PostgreSQL does not answer. `idle`: nothing was asked yet. `broken`: the routes file has errors.
    `keys` is like none of them: a site of its own for tests that remove entries."""

    def __init__(
        self, *, down: bool = False, idle: bool = False, broken: bool = False, keys: bool = False, entries: int = 120
    ) -> None:
        self.admin_token = TOKEN
        self.down = down
        self.idle = idle
        self.broken = broken
        self.keys = keys
        self.asked: list[object] = []
        self.begun = time.time()
        self.stored = [] if idle else [self._made_up(nth) for nth in range(entries)]
        self.routes = [
            RunningRoute("support-chat", "/v1/chat/completions", "openai", "serve"),
            RunningRoute("faq", "/faq", "docs", "serve"),
            RunningRoute("claude", "/v1/messages", "anthropic", "shadow"),
            RunningRoute("embeddings", "/v1/embeddings", "openai", "serve"),
        ]

    def _made_up(self, nth: int) -> EntryShown:
        question = NASTY if nth == 3 else QUESTIONS[nth % len(QUESTIONS)]
        tags = ["<b>tag</b>", 'a"b'] if nth == 3 else [["doc:handbook", "v3"], ["doc:prices"], []][nth % 3]
        at = self.begun - 40 - nth * 317
        route = ["support-chat", "faq"][nth % 2]
        return EntryShown(f"e{nth:04d}", route, at, at + 86400, 400 // (nth + 1), 900 + nth * 37, list(tags), question)

    async def readiness(self) -> Readiness:
        if self.down:
            return Readiness(
                "degraded", {"postgres": "no answer within 500 ms", "redis": "ok", "embedder default": "ok"}
            )
        return Readiness("ready", {"postgres": "ok", "redis": "ok", "embedder default": "ok"})

    def running(self) -> Running:
        error = "routes.yaml:14:7: <b>unknown</b> upstream `opnai`" if self.broken else None
        restart = ["server.listen"] if self.broken else []
        return Running("9f2c4e7a1b38d05566aa", self.begun - 5400, error, self.routes, restart)

    def metrics(self) -> bytes:
        return b""

    async def reload(self, *, force: bool) -> Reloaded:
        self.asked.append(("reload", force))
        if self.broken and not force:
            problem = FileProblem(
                "$.routes[0].upstream", "routes.yaml", 14, 7, "error", NASTY, "did you mean `openai`?"
            )
            raise ReloadRefused("the routes file has 1 error", (problem,))
        return Reloaded("77aa00112233445566ff", True)

    async def stats(self) -> Stats:
        if self.idle:
            return Stats(self.begun - 30, {})
        stored = None if self.down else 5120
        grown = int(time.time() - self.begun)
        seconds = {
            "hit": bell(SECONDS, 2.0, 1.4, 52100 + grown),
            "miss": bell(SECONDS, 9.6, 1.5, 29800),
            "bypass": bell(SECONDS, 8.8, 1.7, 2310),
            "collapsed": bell(SECONDS, 8.9, 1.2, 940),
            "error": bell(SECONDS, 12.0, 0.8, 31),
        }
        similarities = {"hit": bell(NEARNESS, 13.6, 2.0, 20100), "miss": bell(NEARNESS, 6.0, 3.0, 17400)}
        support = RouteStats(
            60210 + grown, {"exact": 22100 + grown, "verified": 15110, "semantic": 0}, 41, 830, 19900, {"no-scope": 1204, "stream": 88},
            12, 31, {"status": 40, "truncated": 61}, Saved(9_310_000, 4_120_000, 68.31), stored, None if self.down else 48_300_112,
            seconds, similarities,
        )  # fmt: skip
        faq = RouteStats(
            21080, {"exact": 9900, "semantic": 4990}, 0, 110, 5900, {"no-text": 180}, 0, 0, {}, Saved(1_210_000, 830_000, 9.1),
            None if self.down else 812, None if self.down else 2_113_401, seconds, similarities,
        )  # fmt: skip
        claude = RouteStats(3890, {}, 0, 0, 3050, {"too-large": 838}, 0, 2, {"stop-reason": 7}, Saved(0, 0, None), 0, 0)
        return Stats(
            self.begun - 200_000, {"support-chat": support, "faq": faq, "claude": claude}, seconds, similarities
        )

    def history(self) -> list[Moment]:
        if self.idle:
            return []
        chance = random.Random(7)
        now = time.time()
        moments = []
        requests = hits = support = support_hits = 0
        dollars = 0.0
        times = [now - ago * 60 for ago in range(1440, 60, -1)] + [now - ago * 10 for ago in range(360, -1, -1)]
        last = times[0] - 60
        for at in times:
            busy = (1.3 + math.sin(at / 9000)) * (at - last) * (0.8 + chance.random() * 0.4)
            share = 0.58 + 0.12 * math.sin(at / 2500) + chance.random() * 0.05
            requests, hits = requests + round(busy * 10), hits + round(busy * 10 * share)
            support, support_hits = support + round(busy * 7), support_hits + round(busy * 7 * share)
            dollars += busy * share * 0.0021
            routes = {"support-chat": (support, support_hits), "faq": (requests - support, hits - support_hits)}
            moments.append(Moment(at, requests, hits, requests - hits, 0, 0, dollars, routes))
            last = at
        return moments

    async def lookup(self, question: LookupQuestion) -> LookupAnswer:
        self.asked.append(question)
        if question.route == "support-chat" and question.scope is None:
            raise InvalidOrder("route `support-chat` is not public: give a scope")
        if self.down:
            raise StoreError("postgres: no answer within 500 ms")
        candidates = [
            LookupCandidate("e0000", 0.9871, 0.93, True, QUESTIONS[0], "accepted by pairwise at 0.93"),
            LookupCandidate("e0003", 0.9312, 0.22, False, NASTY, "<i>rejected</i>: other numbers"),
        ]
        steps = [
            LookupStep("subject", "partition 4be1…, scope 77c0…, 27 characters", 0.08),
            LookupStep("memory", "not there", 0.01),
            LookupStep("redis", "not there", 0.21),
            LookupStep("postgres-exact", "not there", 0.4),
            LookupStep("embed", "all-MiniLM-L6-v2, 384 numbers", 1.05),
            LookupStep("nearest", "2 candidates at 0.80 or above", 0.9),
        ]
        subject: dict[str, str | int | bool | None] = {
            "route": question.route,
            "model": "gpt-4o",
            "text length": 27,
            "stream": False,
        }
        return LookupAnswer("hit", "verified", candidates, subject, steps)

    async def entries(self, *, route: str | None, limit: int, after: str | None) -> EntriesPage:
        if self.down:
            raise StoreError("postgres: no answer within 500 ms")
        found = [entry for entry in self.stored if route in (None, entry.route) and (after is None or entry.id > after)]
        return EntriesPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def denied(self, *, route: str | None, limit: int, after: str | None) -> DeniedPage:
        if self.down:
            raise StoreError("postgres: no answer within 500 ms")
        listed = [
            DeniedShown("file-1", None, NASTY, "deny[0]", "file", then=Then.REFUSE, answer=NASTY, hits=1204),
            DeniedShown("file-2", "faq", "Who will win?", "faq.deny[0]", "file", compared="words"),
            DeniedShown(
                "api-3", "faq", "Where is my order?", "orders", "api", 0.85, False, hits=7, created_at=self.begun - 3600,
                false_positives=[SparedShown("s1", "Where is my order form?")],
            ),
            DeniedShown("api-4", None, None, "lost", "api"),
        ]  # fmt: skip
        found = [] if self.idle else [each for each in listed if route is None or each.route in (None, route)]
        start = [each.id for each in found].index(after) + 1 if after else 0
        return DeniedPage(
            found[start : start + limit], None if len(found) <= start + limit else found[start + limit - 1].id
        )

    async def entry(self, entry_id: str) -> EntryWhole | None:
        if self.down:
            raise StoreError("postgres: no answer within 500 ms")
        for one in self.stored:
            if one.id == entry_id:
                body = '{"answer": "Open Settings, choose Security, then Reset password. <script>alert(2)</script>"}'
                headers = [("content-type", "application/json")]
                return EntryWhole(
                    one.id, one.route, one.created_at, one.expires_at, one.hits, one.bytes, one.tags, one.question,
                    200, headers, body, last_used=self.begun - 5, asked_at=one.created_at - 1,
                )  # fmt: skip
        return None

    async def remove(self, entry_id: str) -> bool:
        self.asked.append(("remove", entry_id))
        before = len(self.stored)
        self.stored = [entry for entry in self.stored if entry.id != entry_id]
        return len(self.stored) < before

    async def purge(self, order: PurgeOrder) -> PurgeResult:
        self.asked.append(order)
        if self.down:
            raise StoreError("postgres: no answer within 500 ms")
        if order.similar_to is not None and order.route is None:
            raise InvalidOrder("`similar_to` needs a route")
        fits = [
            entry
            for entry in self.stored
            if order.route in (None, entry.route) and (not order.tags or set(order.tags) & set(entry.tags))
        ]
        if order.dry_run:
            return PurgeResult(len(fits), 0)
        self.stored = [entry for entry in self.stored if entry not in fits]
        return PurgeResult(len(fits), len(fits))

    async def export(self, route: str | None) -> AsyncIterator[bytes]:
        for _ in ():
            yield b""

    async def import_lines(self, lines: bytes, *, route: str | None) -> Imported:
        return Imported(0, 0)
