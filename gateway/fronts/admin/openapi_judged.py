"""The part of the API's description that is about right and wrong answers: the report of shadow mode, and feedback."""

from __future__ import annotations

from gateway.fronts.admin import examples
from gateway.fronts.admin.openapi_forms import ROUTE, SHAPE, Json, lines, operation, shape

_TAG = "right and wrong"
_SINCE: tuple[str, str, dict[str, Json]] = (
    "since",
    "For so long, up to now (`24h`, `7d`); as long as it is kept without it.",
    {"type": "string"},
)

JUDGED: dict[str, Json] = {
    "/-/shadow": {
        "get": operation(
            _TAG,
            "shadowReport",
            "What shadow mode, audits and feedback found.",
            shape("ShadowReport", examples.REPORT),
            query=[ROUTE, _SINCE],
            errors=("422", "503"),
        ),
        "delete": operation(
            _TAG,
            "resetShadow",
            "Begin anew with one route: all judgements of it go, in every worker and replica.",
            shape("ShadowReset", examples.RESET),
            query=[("route", "Name of a route.", {"type": "string"})],
            errors=("422", "503"),
        ),
    },
    "/-/shadow/log": {
        "get": operation(
            _TAG,
            "shadowLog",
            "Each judgement, one a line, with the words where they are known.",
            lines(examples.JUDGED_LINES, {"$ref": f"{SHAPE}ShadowLine"}),
            query=[ROUTE, _SINCE],
            errors=("422", "503"),
        )
    },
    "/-/feedback": {
        "post": {
            **operation(
                _TAG,
                "feedback",
                "Say that an answer from the cache was right or wrong; a wrong one goes, everywhere. With a declared client's "
                "key: of entries in its own scope.",
                shape("FeedbackResult", examples.FEEDBACK_TAKEN),
                body=shape("FeedbackOrder", examples.FEEDBACK),
                errors=("400", "413", "422", "503"),
            ),
            "security": [{"token": []}, {"clientKey": []}],
        }
    },
}
