"""`semgate simulate STREAM.csv`: a log of questions played through a route's decision, at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.cli.judge import SCORES, SIMILARITIES
from gateway.cli.labelled import read_questions
from gateway.cli.offline import Chosen, choose_route, progress, with_route
from gateway.cli.results import Block, interval, write_blocks, write_csv, write_json_result
from gateway.cli.showing import count, share, things, visible
from gateway.cli.thresholds import threshold_blocks
from gateway.core.evidence import wilson
from gateway.core.policy import CachePolicy, SecondOpinion
from gateway.runtime.offline import OfflineRoute, least_similarity
from gateway.runtime.offline_stream import Played, Question, make_log

CSV_COLUMNS = ("by", "threshold", "requests", "hits", "right", "wrong", "misses", "missed", "same_words", "denied")
BY_SCORE, BY_SIMILARITY = "verifier_score", "similarity"


class Shown(msgspec.Struct, frozen=True):
    """What became of the log: `hits` are `right` or `wrong`; the others are `misses`, `missed` those of them where an entry
    with the right answer was there, and `denied` those that the cache has no part in. `interval`: the 95 % interval of the
    wrong share of hits."""

    requests: int
    hits: int
    right: int
    wrong: int
    misses: int
    missed: int
    same_words: int
    denied: int
    interval: tuple[float, float]


class AtThreshold(Shown, frozen=True):
    threshold: float


class Result(Shown, frozen=True):
    """By the route's own settings, and at each threshold of what it decides by; `similarity_thresholds`: by similarity
    alone, for comparison (none where that is the same)."""

    route: str
    rule: str
    thresholds: list[AtThreshold]
    similarity_thresholds: list[AtThreshold]


class Plays(msgspec.Struct, frozen=True):
    """The log under the route's own settings, and under others: (threshold, what became of it), the lowest first."""

    own: Played
    by_own: list[tuple[float, Played]]
    by_similarity: list[tuple[float, Played]]


def run(file: str, config: Path | None, route: str | None, form: str, out: Path | None, plot: Path | None) -> int:
    chosen = choose_route(config, route)
    questions = read_questions(file)
    plays = play(chosen, questions, SCORES, SIMILARITIES)
    if plot is not None:
        from gateway.cli.plots import draw_log

        draw_log(plot, file, chosen, plays)
    result = _result(chosen, plays)
    if form == "json":
        write_json_result(result, out)
    elif form == "csv":
        write_csv(CSV_COLUMNS, _rows(chosen, result), out)
    else:
        write_blocks(_blocks(file, chosen, result), out)
    return 0


def play(
    chosen: Chosen, questions: Sequence[Question], scores: Sequence[float], similarities: Sequence[float]
) -> Plays:
    """Play a log at each of these thresholds and the route's own. Raises Failed."""

    async def played(route: OfflineRoute) -> Plays:
        policy = route.policy
        by_own = [policy]
        if policy.opinion is not None:
            by_own += [with_score(policy, score) for score in scores]
        by_similarity = [with_similarity(policy, similarity) for similarity in similarities]
        least = min(map(least_similarity, (*by_own, *by_similarity)))
        with progress("embedding", len({each.text for each in questions})) as moved:
            log = await make_log(route, questions, least, moved)
        with progress("playing", len(by_own) + len(by_similarity)) as moved:

            async def each(policy: CachePolicy) -> tuple[float, Played]:
                found = await log.play(policy)
                moved(1)
                return threshold_of(policy), found

            own, *others = [await each(policy) for policy in by_own]
            plain = [await each(policy) for policy in by_similarity]
        if policy.opinion is None:
            return Plays(own[1], _in_order([own, *plain]), [])
        return Plays(own[1], _in_order([own, *others]), plain)

    return with_route(chosen, played)


def with_score(policy: CachePolicy, score: float) -> CachePolicy:
    """The same route, at another score of its verifier."""
    assert policy.opinion is not None
    return msgspec.structs.replace(policy, opinion=SecondOpinion(policy.opinion.candidate, score))


def with_similarity(policy: CachePolicy, similarity: float) -> CachePolicy:
    """The same route by similarity alone."""
    return msgspec.structs.replace(policy, hit=similarity, opinion=None)


def threshold_of(policy: CachePolicy) -> float:
    """What the last word is compared with: the score, or the similarity."""
    return policy.hit if policy.opinion is None else policy.opinion.at_least


def _in_order(plays: list[tuple[float, Played]]) -> list[tuple[float, Played]]:
    return sorted(dict(plays).items())


def _shown(played: Played) -> dict[str, object]:
    return {
        "requests": played.requests,
        "hits": played.hits,
        "right": played.right,
        "wrong": played.wrong,
        "misses": played.misses,
        "missed": played.missed,
        "same_words": played.same_words,
        "denied": played.denied,
        "interval": wilson(played.wrong, played.hits),
    }


def _result(chosen: Chosen, plays: Plays) -> Result:
    return msgspec.convert(
        {
            **_shown(plays.own),
            "route": chosen.route.name,
            "rule": chosen.rule,
            "thresholds": [{"threshold": at, **_shown(played)} for at, played in plays.by_own],
            "similarity_thresholds": [{"threshold": at, **_shown(played)} for at, played in plays.by_similarity],
        },
        Result,
    )


def _rows(chosen: Chosen, result: Result) -> list[list[object]]:
    own = BY_SIMILARITY if chosen.route.verify is None else BY_SCORE
    kinds = ((own, result.thresholds), (BY_SIMILARITY, result.similarity_thresholds))
    return [[by, *(getattr(each, name) for name in CSV_COLUMNS[1:])] for by, levels in kinds for each in levels]


def _blocks(file: str, chosen: Chosen, result: Result) -> list[Block]:
    blocks: list[Block] = [
        f"route {visible(result.route)}: {result.rule}",
        f"{visible(file)}: {things(result.requests, 'question')}\n",
        f"hits    {count(result.hits)} ({share(result.hits, result.requests)}),"
        f" {count(result.same_words)} of them in the same words",
        f"wrong   {count(result.wrong)} ({share(result.wrong, result.hits)} of hits,"
        f" 95 % interval {interval(result.wrong, result.hits)})",
        f"misses  {count(result.misses)} ({share(result.misses, result.requests)});"
        f" for {count(result.missed)} of them the right answer was there"
        + (f", {count(result.denied)} of them are denied" if result.denied else "")
        + "\n",
    ]
    return blocks + threshold_blocks(chosen, _MEASURES, _cells, result.thresholds, result.similarity_thresholds)


def _cells(each: AtThreshold) -> tuple[str, ...]:
    return (
        count(each.hits),
        share(each.hits, each.requests),
        count(each.right),
        count(each.wrong),
        share(each.wrong, each.hits),
        interval(each.wrong, each.hits),
        count(each.missed),
    )


_MEASURES = (
    ("hits", 3),
    ("hit rate", 0),
    ("right", 4),
    ("wrong", 0),
    ("wrong of hits", 0),
    ("95 % interval", 1),
    ("missed", 2),
)
