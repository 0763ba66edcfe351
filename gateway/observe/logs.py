"""Log lines: JSON, one object a line, all events on stderr and the access log on stdout.

No line holds question text, a raw scope, a credential or a header of the client's.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec

from gateway.core.events import Restarted, Served, Trouble
from gateway.observe.lines import STDERR, STDOUT, LineWriter

LOG = logging.getLogger("semgate")

_encode = msgspec.json.Encoder().encode
DIGEST_SHOWN = 16
"""Hex digits of a scope's digest: enough to put lines together."""
CLIENTS = ("httpx", "httpx2")
"""Of the libraries for remote models: at `info` they have a line for each text that a model is asked about."""


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, event, and what the call added as `fields`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return _encode(fields).decode()


class LineHandler(logging.Handler):
    """Gives records to a writer that nobody waits for."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(self.format(record).encode() + b"\n")

    def flush(self) -> None:
        """Not waited for: whoever logs goes on. The writer sees to its last lines itself."""


SERVER_LOGGING: dict[str, Any] = {
    "formatters": {"json": {"()": JsonFormatter}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "loggers": {"_granian": {"handlers": ["stderr"], "propagate": False}},
}
"""For what Granian has to say (that a worker died, say): on stderr as everything else; left alone it writes to stdout."""


def log_to_stderr(level: str) -> None:
    """Send every log record of this process to stderr as JSON lines."""
    handler = LineHandler(STDERR)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for client in CLIENTS:
        logging.getLogger(client).setLevel(logging.WARNING)


def warn_of_part(event: Trouble | Restarted) -> None:
    """One line of what became of a part."""
    name = "trouble" if isinstance(event, Trouble) else "restarted"
    LOG.warning(name, extra={"fields": {"part": event.part, "detail": event.detail}})


def write_access_line(event: Served, trace: str | None, writer: LineWriter = STDOUT) -> None:
    """One line for one request; `trace` is the id of its trace, where there is one."""
    fields: dict[str, object] = {
        "time": timestamp(time.time()),
        "event": "request",
        "route": event.route,
        "outcome": event.outcome.value,
        "status": event.status,
        "ms": round(event.seconds * 1000, 3),
    }
    optional = {
        "source": event.source,
        "kind": event.kind,
        "reason": event.reason,
        "similarity": None if event.similarity is None else round(event.similarity, 4),
        "entry": event.entry,
        "scope": None if event.scope is None else event.scope.hex()[:DIGEST_SHOWN],
        "client": event.client,
        "trace": trace,
    }
    fields |= {name: value for name, value in optional.items() if value is not None}
    writer.write(_encode(fields) + b"\n")


def timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
