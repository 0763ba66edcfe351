"""Fine-tune MiniLM into a pair model whose logit *adds to* the cosine: sigmoid(logit + STEEPNESS x (cosine - MIDDLE)).

Trained on the sum, the network spends itself on what the cosine does not know. A pair is shown in both orders, turn by
turn, because whose question came first says nothing. The word embeddings stay as they are: a word that the training pairs
lack must not drift away from its neighbours, and Adam over 12 million rarely used weights would take a third of the time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from quality.cross_encoder.material import Row

STEEPNESS = 20.0
MIDDLE = 0.85
WINDOW = 128
RATE = 5e-5
BATCH = 32
TOGETHER = 32 * BATCH
"""Pairs that are put into batches by their length."""


class PairModel:
    """MiniLM with one output, and its tokenizer; on a GPU where there is one."""

    def __init__(self, folder: Path, device: str | None = None) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        network: Any = AutoModelForSequenceClassification.from_pretrained(str(folder), num_labels=1)
        self.network = network.to(self.device)

    def train(self, rows: Sequence[Row], *, epochs: int, seed: int) -> None:
        """The same rows, seed, machine and libraries give the same weights."""
        import torch

        torch.manual_seed(seed)
        chance = Random(seed)
        self.network.bert.embeddings.word_embeddings.weight.requires_grad_(False)
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
        steps = epochs * math.ceil(len(rows) / BATCH)
        warm = max(1, steps // 10)
        slope = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min(step / warm, max(0.0, (steps - step) / max(1, steps - warm)))
        )
        loss_of = torch.nn.BCEWithLogitsLoss()
        self.network.train()
        done, began, recent = 0, time.monotonic(), 0.0
        for epoch in range(epochs):
            for batch in _batches(rows, chance):
                turned = [(number + epoch) % 2 == 1 for number in range(len(batch))]
                first = [row.text_b if turn else row.text_a for row, turn in zip(batch, turned, strict=True)]
                second = [row.text_a if turn else row.text_b for row, turn in zip(batch, turned, strict=True)]
                cosines = torch.tensor([row.cosine for row in batch], device=self.device)
                labels = torch.tensor([float(row.label) for row in batch], device=self.device)
                logits = self._logits(first, second) + STEEPNESS * (cosines - MIDDLE)
                loss = loss_of(logits, labels)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimiser.step()
                slope.step()
                done += 1
                recent = 0.98 * recent + 0.02 * float(loss.detach())
                if done % 25 == 0:
                    each = (time.monotonic() - began) / done
                    print(f"step {done}/{steps} loss {recent / (1 - 0.98**done):.3f} {each:.2f} s a step", flush=True)

    def save(self, folder: Path) -> None:
        self.network.save_pretrained(str(folder))
        self.tokenizer.save_pretrained(str(folder))

    def _logits(self, first: list[str], second: list[str]) -> Any:
        tokens = self.tokenizer(
            first, second, padding=True, truncation="longest_first", max_length=WINDOW, return_tensors="pt"
        )
        return self.network(**tokens.to(self.device)).logits[:, 0]


def _batches(rows: Sequence[Row], chance: Random) -> list[list[Row]]:
    """Of pairs of about one length each, so that little is padding; in another order every time."""
    shuffled = list(rows)
    chance.shuffle(shuffled)
    batches = []
    for start in range(0, len(shuffled), TOGETHER):
        near = sorted(shuffled[start : start + TOGETHER], key=lambda row: len(row.text_a) + len(row.text_b))
        batches += [near[place : place + BATCH] for place in range(0, len(near), BATCH)]
    chance.shuffle(batches)
    return batches
