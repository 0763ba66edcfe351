"""What `judge` and `simulate` show at each threshold: a table by what the route decides by, and by similarity alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from gateway.cli.offline import Chosen, own_threshold
from gateway.cli.results import Block, Table, threshold
from gateway.cli.showing import Column


class _AtThreshold(Protocol):
    @property
    def threshold(self) -> float: ...


T = TypeVar("T", bound=_AtThreshold)


def threshold_blocks(
    chosen: Chosen,
    measures: Sequence[tuple[str, int]],
    cells: Callable[[T], Sequence[str]],
    own: Sequence[T],
    by_similarity: Sequence[T],
) -> list[Block]:
    """`own`: by the verifier's score where the route asks one, else by similarity, and the route's own threshold with a
    star; `by_similarity` for comparison (may be empty). `measures` name the columns and say which may be left out first,
    `cells` fills them."""
    verify = chosen.route.verify
    blocks: list[Block] = []
    if verify is not None:
        blocks.append(f"by the score of `{verify.by}`, of candidates at {chosen.route.thresholds.candidate:g} or above")
    blocks.append(_table("score" if verify else "similarity", measures, cells, own, own_threshold(chosen)))
    if by_similarity:
        blocks.append("\nby similarity alone, for comparison")
        blocks.append(_table("similarity", measures, cells, by_similarity, None))
    return blocks


def _table(
    name: str,
    measures: Sequence[tuple[str, int]],
    cells: Callable[[T], Sequence[str]],
    levels: Sequence[T],
    own: float | None,
) -> Table:
    columns = [Column(f"{name} at least", right=True)]
    columns += [Column(each, right=True, spare=spare) for each, spare in measures]
    rows = [(threshold(each.threshold) + ("*" if each.threshold == own else " "), *cells(each)) for each in levels]
    return Table(columns, rows)
