"""Trains the `pairwise` verifier: python -m quality.train_pairwise --data DIR [--out DIR].

Reads the labelled sets of a folder (see quality/README.md), adds generated pairs, and writes the model into the package
or to another folder. Some five minutes the first time, most of it for embedding; the same input gives the same files.
Figures for each source left out of training: make quality ARGS="--data DIR --leave-one-out".
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from rich.console import Console

from gateway.verifiers.pairwise import FOLDER
from quality.pairwise.training import Trainer, write
from quality.sources import UnreadableData

CACHE = Path(__file__).parent / "out" / "vectors.npz"


def main() -> int:
    parser = argparse.ArgumentParser(description="Train the pairwise verifier.")
    parser.add_argument("--data", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the model goes (default: into the package)")
    options = parser.parse_args()
    console = Console()
    try:
        trainer = Trainer(options.data, CACHE, console)
    except UnreadableData as error:
        console.print(f"[red]{error}[/red]")
        return 2
    write(trainer, trainer.fit(), options.out)
    for name in ("words.txt", "words.npy", "trees.json"):
        console.print(f"{name} sha256 {hashlib.sha256((options.out / name).read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
