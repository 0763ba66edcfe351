"""`semgate feedback`: an operator's word on one stored answer."""

from __future__ import annotations

from typing import Literal, cast

from gateway.cli.client import open_gateway
from gateway.cli.options import Reach
from gateway.cli.showing import visible, write
from gateway.fronts.admin.judged import FeedbackOrder


def run(reach: Reach, entry_id: str, verdict: str, question: str | None) -> int:
    order = FeedbackOrder(entry_id, cast("Literal['right', 'wrong']", verdict), question)
    with open_gateway(reach) as gateway:
        result = gateway.feedback(order)
    said = "noted" if result.noted else "known already"
    write(f"{visible(entry_id)}: {verdict}, {said}" + (", and removed" if result.evicted else ""))
    return 0
