"""Where `semgate calibrate` has its evidence from: labelled pairs, a log of questions, or a shadow log -> levels.

What proves nothing is left out here: repeats in the same words, which no threshold decides; the same two texts met again;
feedback, which is no sample. What is unsure counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from gateway.cli.failure import Failed
from gateway.cli.judge import by_score, by_similarity, judge_pairs
from gateway.cli.labelled import Comparison, Pair, read_comparisons, read_pairs, read_questions
from gateway.cli.offline import Chosen, own_threshold
from gateway.cli.showing import count, share, things
from gateway.cli.simulate import BY_SCORE, BY_SIMILARITY, play
from gateway.core.calibration import SCORES, SIMILARITIES, Level, Trial, level, levels_of
from gateway.core.judgement import Origin
from gateway.core.messages import HitKind


class Evidence(msgspec.Struct, frozen=True):
    """Levels of `by`, the strictest first; `own`: the one that the route has now, or the loosest that the log knows of. In
    words: `what` it is, what hit rates are of (`requests`), and right shares (`right`). `wrong_pairs`: how many pairs must
    not be served, of labelled ones."""

    by: str
    levels: Sequence[Level]
    own: float
    what: str
    notes: tuple[str, ...] = ()
    requests: str = "all requests"
    right: str = "the pairs with the same answer"
    wrong_pairs: int = 0

    @property
    def name(self) -> str:
        """What the threshold is of."""
        return "similarity" if self.by == BY_SIMILARITY else "score"


def from_pairs(chosen: Chosen, file: str, prior: float | None) -> Evidence:
    """Raises Failed."""
    labels: dict[tuple[str, str], bool] = {}
    read = read_pairs(file, labelled=True)
    for pair in read:
        both = pair.text_a, pair.text_b
        if pair.text_a != pair.text_b:
            labels[both] = bool(pair.label) and labels.get(both, True)
    if not labels:
        raise Failed(f"{file} has no pair of different texts")
    pairs = [Pair(*both, label) for both, label in labels.items()]
    judged = judge_pairs(chosen, pairs)
    verify, candidate = chosen.route.verify, chosen.route.thresholds.candidate
    if verify is None or candidate is None:
        trials, steps, by = by_similarity(pairs, judged), SIMILARITIES, BY_SIMILARITY
    else:
        trials, steps, by = by_score(pairs, judged, candidate), SCORES, BY_SCORE
    own = own_threshold(chosen)
    right = sum(trial.right for trial in trials)
    notes = []
    if len(read) > len(pairs):
        notes.append(f"{things(len(read) - len(pairs), 'row')} left out: the same words, or the same pair again")
    if prior is None:
        notes.append(
            f"{share(right, len(pairs))} of these pairs have the same answer; in traffic another share of candidates has, and "
            "then another share of hits is wrong. --prior says what it is there; a --stream or --shadow log has it in it"
        )
    elif not 0 < right < len(pairs):
        raise Failed(f"{file} has pairs of one label only: with --prior it takes both")
    return Evidence(
        by,
        levels_of(trials, sorted({*steps, own}, reverse=True), prior),
        own,
        f"{things(len(pairs), 'pair')}, {count(right)} of them with the same answer",
        tuple(notes),
        requests="look-ups with a candidate" if prior is not None else "all requests",
        wrong_pairs=len(pairs) - right,
    )


def from_stream(chosen: Chosen, file: str) -> Evidence:
    """Raises Failed."""
    questions = read_questions(file)
    if chosen.route.verify is None:
        plays, by = play(chosen, questions, (), SIMILARITIES), BY_SIMILARITY
    else:
        plays, by = play(chosen, questions, SCORES, ()), BY_SCORE
    levels = [
        level(threshold, played.pairs, played.wrong_pairs, hit_share=played.hits / played.requests)
        for threshold, played in reversed(plays.by_own)
    ]
    what = f"{things(len(questions), 'question')}; hits in the same words, and the same two texts met again, are not counted"
    return Evidence(by, levels, own_threshold(chosen), what, requests="this log's questions")


def from_shadow(chosen: Chosen, file: str, route: str | None) -> Evidence:
    """Of the lines of this route, where they name one. Raises Failed."""
    named = route if chosen.built_in else chosen.route.name
    read = read_comparisons(file)
    mine = [each for each in read if named is None or each.route in (None, named)]
    lines = [each for each in mine if each.kind != HitKind.SYNTHESIS]  # no threshold decides on those
    if not lines:
        raise Failed(f"{file} has no line of route {named}")
    judged = chosen.route.verify is not None
    with_score = sum(each.verifier_score is not None for each in lines)
    if chosen.built_in:
        judged = with_score > 0
    if judged != (with_score > 0):
        has, asks = ("no scores of a verifier", "asks one") if judged else ("scores of a verifier", "asks none")
        raise Failed(f"{file} has {has}, and route {chosen.route.name} {asks}: the log was made with other settings")
    sampled = [each for each in lines if each.origin != Origin.FEEDBACK]
    known = [each for each in sampled if _value(each, judged=judged) is not None]
    if not known:
        raise Failed(f"{file} has no comparison with a {'score' if judged else 'similarity'}")
    trials = _each_pair_once(known, judged=judged)
    # Nothing looser was looked at. Rounded up, to a threshold that can be written down.
    least = math.ceil(round(min(trial.score or 0.0 for trial in trials) * 1000, 6)) / 1000
    steps = sorted({least, *(each for each in (SCORES if judged else SIMILARITIES) if each > least)}, reverse=True)
    unsure = sum(each.verdict == "unsure" for each in known)
    notes = [f"the log goes down to {least:g}: what looser thresholds would serve it does not know"]
    if unsure:
        notes.append(f"{things(unsure, 'comparison')} ({share(unsure, len(known))}) unsure: they count as wrong")
    if len(known) < len(lines):
        notes.append(
            f"{things(len(lines) - len(known), 'line')} left out: feedback, which is no sample, or without a figure"
        )
    if len(trials) < len(known):
        notes.append(f"{things(len(known) - len(trials), 'comparison')} left out: the same two texts again")
    return Evidence(
        BY_SCORE if judged else BY_SIMILARITY,
        levels_of(trials, steps),
        least,
        f"{things(len(trials), 'comparison')}",
        tuple(notes),
        right="the would-be hits that were right",
    )


def _value(comparison: Comparison, *, judged: bool) -> float | None:
    return comparison.verifier_score if judged else comparison.similarity


def _each_pair_once(known: Sequence[Comparison], *, judged: bool) -> list[Trial]:
    """Two texts that were met again count once, as wrong if they ever were; lines without texts stand for themselves."""
    trials: dict[tuple[str, str] | int, Trial] = {}
    for number, each in enumerate(known):
        both = None if each.text_a is None or each.text_b is None else (each.text_a, each.text_b)
        key = number if both is None else both
        before = trials.get(key)
        right = each.verdict == "right" and (before is None or before.right)
        trials[key] = Trial(_value(each, judged=judged), right)
    return list(trials.values())
