"""The operator's door as a whole: what Litestar is given to serve it."""

from __future__ import annotations

import time

from litestar import Controller
from litestar.datastructures import State

from gateway.fronts.admin.access import Failures
from gateway.fronts.admin.denied import DeniedQuestions
from gateway.fronts.admin.entries import StoredEntries
from gateway.fronts.admin.evidence import Feedback, ShadowEvidence
from gateway.fronts.admin.operations import Operations
from gateway.fronts.admin.probes import Probes
from gateway.fronts.admin.running import RunningConfiguration
from gateway.fronts.admin.transfer import Transfer

MOST_FEEDBACK = 60
"""Of one client, each minute."""

CONTROLLERS: list[type[Controller]] = [
    Probes,
    RunningConfiguration,
    StoredEntries,
    DeniedQuestions,
    Transfer,
    ShadowEvidence,
    Feedback,
]


def door_state(operations: Operations) -> State:
    """For Litestar's `state`: what the handlers ask, and the wrong tokens and the feedback that this worker has seen."""
    return State(
        {
            "operations": operations,
            "failures": Failures(time.monotonic),
            "feedback": Failures(time.monotonic, MOST_FEEDBACK),
        }
    )
