"""`semgate check`: all problems of a routes file in the wished format."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gateway.config.load import read
from gateway.config.report import Format, render


def run(path: Path, format_: Format) -> int:
    """Print the report; 0 if the file can be served, else 1."""
    loaded = read(path, os.environ)
    sys.stdout.write(render(loaded.problems, format_, loaded.source))
    if format_ == "text" and loaded.settings is not None:
        warnings = len(loaded.problems)
        routes = len(loaded.settings.routes)
        noted = f", {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
        sys.stdout.write(f"{path}: fine ({routes} route{'s' * (routes != 1)}{noted})\n")
    return 0 if loaded.settings is not None else 1
