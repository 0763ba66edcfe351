"""Measure how right the cached answers are: cosine against the verifier, on labelled pairs, edits and question streams.

Each question is embedded once with the shipped model. Tables go to the screen, and tables, JSON, CSV and curves to the
folder that --out names.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from quality import control, judges
from quality.documenting import document
from quality.embedding import Vectors, embed_all
from quality.figures import kind_figures, pair_figures, stream_figures
from quality.judging import COSINE_LOOSE, COSINE_STRICT, LOOSE, STRICT, VERIFIER, Judge, Judged, Setting, judge
from quality.replay import Replayed, replay
from quality.report import Result, print_result, write_files
from quality.sources import (
    PairSet,
    Stream,
    UnreadableData,
    generated,
    handwritten,
    handwritten_later,
    handwritten_third,
    read_folder,
)
from quality.sweep import SCORE_STEPS, sweep
from quality.timing import measure

OUT = Path(__file__).parent / "out"
PAGE = Path(__file__).parents[1] / "docs/quality.md"
GENERATED = 12_000
QUICK_PAIRS, QUICK_QUESTIONS, QUICK_GENERATED = 500, 2_000, 1_500
COSINE_STEPS = (0.80, 0.84, 0.88, 0.90, LOOSE, 0.94, STRICT, 0.96, 0.97, 0.98, 0.99)


def arguments() -> argparse.Namespace:
    usual = Setting()
    parser = argparse.ArgumentParser(
        prog="quality/run.py",
        description=__doc__,
        epilog="examples:\n"
        "  make quality ARGS='--data DIR'                       the shipped model on a folder of labelled questions\n"
        "  make quality ARGS='--data DIR --leave-one-out'       each source by a model that has not seen it\n\n"
        "exit code: 0 all goals reached, 1 some missed, 2 wrong use. quality/README.md says what the folder holds.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of labelled pairs and streams")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder for tables, JSON, CSV and curves")
    parser.add_argument(
        "--quick", action="store_true", help="500 pairs and 2,000 questions of each file: rough figures"
    )
    parser.add_argument(
        "--leave-one-out", action="store_true", help="train again without each source before judging it"
    )
    parser.add_argument("--at-least", type=float, default=usual.at_least, metavar="S", help="score to serve from")
    parser.add_argument(
        "--candidate", type=float, default=usual.candidate, metavar="S", help="similarity to judge from"
    )
    parser.add_argument("--docs", action="store_true", help="put the figures and the curves into docs/quality.md")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else 180)
    try:
        pair_sets, streams = read_folder(options.data, *((QUICK_PAIRS, QUICK_QUESTIONS) if options.quick else ()))
    except UnreadableData as trouble:
        console.print(str(trouble), style="bold red")
        return 2
    pair_sets.append(generated(QUICK_GENERATED if options.quick else GENERATED))
    pair_sets += [handwritten(), handwritten_later(), handwritten_third()]
    cache = options.out / "vectors.npz"
    vectors = embed_all(_texts(pair_sets, streams), cache, console)
    chosen = judges.left_out(options.data, cache, console) if options.leave_one_out else judges.Shipped()
    setting = Setting(options.candidate, options.at_least)
    judged = []
    for each in pair_sets:
        with console.status(f"judging {each.name}"):
            judged.append(judge(each, vectors, chosen.of(each.name), setting))
    figures, curves, moved = [], {}, []
    for stream in streams:
        with console.status(f"replaying {stream.name}"):
            played = _Player(stream, vectors, chosen.of(stream.name)(None), setting)
            by_rule, by_score = played.by_rule(), played.by_score()
            figures.append(stream_figures(by_rule, stream.name, len(stream.texts)))
            curves[stream.name] = played.curve(by_score)
            moved.append((by_rule, by_score))
    result = Result(
        judged_by=chosen.told,
        setting={"candidate": setting.candidate, "at_least": setting.at_least},
        pairs=[pair_figures(each) for each in judged],
        kinds=[kind for each in judged if each.edits for kind in kind_figures(each)],
        streams=figures,
        timing=measure(chosen.timed, judged),
        at_other_scores=sweep(judged, moved),
    )
    print_result(result, console)
    write_files(result, options.out)
    _draw(judged, result, curves, options.out, console)
    if options.docs:
        document(result, options.out, PAGE)
    rounds = 1 if options.quick else control.ROUNDS
    tried = control.try_out(streams, vectors, lambda name: chosen.of(name)(None).score, setting, rounds)
    control.print_and_write(tried, options.out, console)
    console.print(f"written to {options.out}", soft_wrap=True)
    return 0 if tried.keeps and all(goal.reached for _, goal in result.goals) else 1


class _Player:
    """One stream under every rule; opinions on a pair are asked once."""

    def __init__(self, stream: Stream, vectors: Vectors, judge: Judge, setting: Setting) -> None:
        self._stream, self._vectors, self._judge, self._setting = stream, vectors, judge, setting
        self._scores: dict[tuple[str, str], float] = {}

    def by_rule(self) -> dict[str, Replayed]:
        return {
            COSINE_LOOSE: self._by_cosine(LOOSE),
            COSINE_STRICT: self._by_cosine(STRICT),
            VERIFIER: self._by_score(self._setting.at_least),
        }

    def by_score(self) -> dict[float, Replayed]:
        return {step: self._by_score(step) for step in SCORE_STEPS}

    def curve(self, by_score: dict[float, Replayed]) -> dict[str, list[tuple[float, float]]]:
        """Hit rate and wrong share of hits, along the thresholds."""
        played = {"cosine": [self._by_cosine(step) for step in COSINE_STEPS], "verifier": list(by_score.values())}
        size = len(self._stream.texts)
        return {
            way: [(play.hits / size, play.wrong / max(play.hits, 1)) for play in plays] for way, plays in played.items()
        }

    def _by_cosine(self, threshold: float) -> Replayed:
        return replay(self._stream, self._vectors, threshold, lambda _text, _kept, _near: True)

    def _by_score(self, at_least: float) -> Replayed:
        return replay(
            self._stream,
            self._vectors,
            self._setting.candidate,
            lambda text, kept, near: self._score(text, kept, near) >= at_least,
        )

    def _score(self, text: str, kept: str, near: float) -> float:
        if (text, kept) not in self._scores:
            self._scores[text, kept] = self._judge.score(text, kept, near)
        return self._scores[text, kept]


def _texts(pair_sets: list[PairSet], streams: list[Stream]) -> list[str]:
    texts = [text for each in pair_sets for pair in each.pairs for text in (pair.text_a, pair.text_b)]
    return texts + [text for stream in streams for text in stream.texts]


def _draw(judged: list[Judged], result: Result, curves: dict, folder: Path, console: Console) -> None:
    if find_spec("matplotlib") is None:
        console.print("no curves: they need `pip install 'semgate\\[bench]'`")
        return
    from quality import plots

    plots.draw_pairs(judged, folder / "pairs.png")
    plots.draw_kinds(result.kinds, folder / "kinds.png")
    if curves:
        plots.draw_streams(curves, result.streams, folder / "streams.png")


if __name__ == "__main__":
    sys.exit(main())
