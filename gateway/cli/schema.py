"""`semgate schema`: the JSON Schema of routes files."""

from __future__ import annotations

import sys

from gateway.config.schema import schema_text


def run() -> None:
    sys.stdout.write(schema_text())
