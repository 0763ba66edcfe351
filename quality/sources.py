"""Where the questions come from: labelled pair sets and streams of a folder, the generator, the hand-written set.

A folder holds `NAME.csv.gz` (text_a,text_b,label and, if there, kind) and `NAME.stream.csv.gz` (text,cluster); whatever
stands between the first and the last of these words, as in `NAME.dev.csv.gz`, is no part of the name.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from random import Random

import msgspec

from quality.edits import generate
from quality.kinds import SURFACE, kind_of

HANDWRITTEN = Path(__file__).parent / "handwritten.csv"
LATER = Path(__file__).parent / "handwritten_later.csv"
"""Written by hand too, and first judged when the first model was finished; read since, for what was refused wrongly."""
THIRD = Path(__file__).parent / "handwritten_third.csv"
"""Written before the word lists were last widened, by the same hand that widened them, and judged set by set only."""
UNSEEN_SEED = 20_000
"""Of generated pairs that are judged; training uses others."""


class LabelledPair(msgspec.Struct, frozen=True):
    """`label` 1: the same answer is right for both. `kind`: what differs, "" where nobody says; `further`: what else does."""

    text_a: str
    text_b: str
    label: int
    kind: str = ""
    domain: str = ""
    further: tuple[str, ...] = ()

    @property
    def surface(self) -> bool:
        """A rewrite that leaves the wording as it is."""
        return self.label == 1 and SURFACE.issuperset((self.kind, *self.further))


class PairSet(msgspec.Struct, frozen=True):
    """`edits`: its pairs are one-edit changes and rewrites, judged kind by kind."""

    name: str
    pairs: list[LabelledPair]
    edits: bool = False


class Stream(msgspec.Struct, frozen=True):
    """Questions in the order of their arrival; the same cluster has the same right answer."""

    name: str
    texts: list[str]
    clusters: list[str]


class UnreadableData(Exception):
    """A file of the folder is not what it should be; the message names it."""


def read_folder(
    folder: Path, most_pairs: int | None = None, most_questions: int | None = None
) -> tuple[list[PairSet], list[Stream]]:
    """Every pair set and stream, by name; of each at most so many rows (None: all). Raises UnreadableData."""
    if not folder.is_dir():
        raise UnreadableData(f"{folder} is no folder")
    pair_sets, streams = [], []
    for path in sorted(folder.glob("*.csv.gz")):
        name, *rest = path.name.split(".")
        rows = _rows(path)
        if "stream" in rest:
            _need(path, rows, ("text", "cluster"))
            kept = rows[:most_questions]
            streams.append(Stream(name, [row["text"] for row in kept], [row["cluster"] for row in kept]))
        else:
            _need(path, rows, ("text_a", "text_b", "label"))
            edits = "nearmiss" in name or "kind" in rows[0]
            pair_sets.append(PairSet(name, _some(_pairs(path, rows, edits), most_pairs), edits))
    if not pair_sets and not streams:
        raise UnreadableData(f"{folder} holds no .csv.gz")
    return pair_sets, streams


def generated(count: int) -> PairSet:
    pairs = []
    for pair in generate(UNSEEN_SEED, count):
        kind, *further = pair.kind.split("+")
        pairs.append(LabelledPair(pair.text_a, pair.text_b, pair.label, kind, pair.domain, tuple(further)))
    return PairSet("generated", pairs, edits=True)


def handwritten() -> PairSet:
    return _beside(HANDWRITTEN)


def handwritten_later() -> PairSet:
    return _beside(LATER)


def handwritten_third() -> PairSet:
    return _beside(THIRD)


def _beside(path: Path) -> PairSet:
    with path.open(encoding="utf-8", newline="") as file:
        return PairSet(path.stem, _pairs(path, list(csv.DictReader(file)), edits=True), edits=True)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableData(f"{path} cannot be read: {error}") from error


def _need(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...]) -> None:
    if not rows or not set(columns) <= set(rows[0]):
        raise UnreadableData(f"{path} needs rows with the columns {', '.join(columns)}")


def _pairs(path: Path, rows: list[dict[str, str]], edits: bool) -> list[LabelledPair]:
    found = []
    for number, row in enumerate(rows, start=2):
        if row["label"] not in ("0", "1"):
            raise UnreadableData(f"{path}, line {number}: the label is 0 or 1, not {row['label']!r}")
        label = int(row["label"])
        kind = row.get("kind") or (kind_of(row["text_a"], row["text_b"], label) if edits else "")
        found.append(LabelledPair(row["text_a"], row["text_b"], label, kind))
    return found


def _some(pairs: list[LabelledPair], most: int | None) -> list[LabelledPair]:
    """A sample that is the same each time: the files may be sorted by label."""
    return pairs if most is None or len(pairs) <= most else Random(0).sample(pairs, most)
