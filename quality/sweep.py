"""The same judgements at other scores to serve from: which setting holds which goals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from quality.figures import Goal, Share, kind_figures, pair_figures, stream_figures
from quality.judging import COSINE_LOOSE, COSINE_STRICT, VERIFIER, Judged, Setting
from quality.replay import Replayed

SCORE_STEPS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)


class At(msgspec.Struct, frozen=True):
    """What a verifier does that serves from this score on. `changes` and `rewrites`: shares served, over all sets of edits."""

    at_least: float
    pair_sets: Share
    streams: Share
    kinds: Share
    changes: Share
    rewrites: Share


def sweep(sets: Sequence[Judged], streams: Sequence[tuple[dict[str, Replayed], dict[float, Replayed]]]) -> list[At]:
    """`streams`: what each rule gave, and what the verifier gives at each of SCORE_STEPS."""
    return [_at(step, sets, streams) for step in SCORE_STEPS]


def _at(
    step: float, sets: Sequence[Judged], streams: Sequence[tuple[dict[str, Replayed], dict[float, Replayed]]]
) -> At:
    moved = [msgspec.structs.replace(each, setting=Setting(each.setting.candidate, step)) for each in sets]
    edits = [pair_figures(each) for each in moved if each.edits]
    kinds = [kind for each in moved if each.edits for kind in kind_figures(each) if kind.proves and kind.goal]
    played = [
        stream_figures(
            {**{rule: by_rule[rule] for rule in (COSINE_LOOSE, COSINE_STRICT)}, VERIFIER: plays[step]}, "", 0
        )
        for by_rule, plays in streams
    ]
    return At(
        at_least=step,
        pair_sets=_reached([pair_figures(each).goals for each in moved if not each.edits]),
        streams=_reached([each.goals for each in played]),
        kinds=_reached([[kind.goal] for kind in kinds if kind.goal]),
        changes=_sum([each.wrong[VERIFIER] for each in edits]),
        rewrites=_sum([each.right[VERIFIER] for each in edits]),
    )


def _reached(goals: Sequence[Sequence[Goal]]) -> Share:
    """Of so many sets, those that reach all of their goals."""
    return Share(sum(all(goal.reached for goal in each) for each in goals), len(goals))


def _sum(shares: Sequence[Share]) -> Share:
    return Share(sum(each.part for each in shares), sum(each.whole for each in shares))
