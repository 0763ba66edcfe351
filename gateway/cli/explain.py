"""`semgate explain ROUTE`: one route with everything filled in."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

from gateway.config.explain import explain
from gateway.config.load import read
from gateway.config.report import render


def run(path: Path, route: str) -> int:
    """Print the route; 1 if the file has errors or no such route."""
    loaded = read(path, os.environ)
    if loaded.settings is None:
        sys.stderr.write(render(loaded.problems, "text", loaded.source))
        return 1
    names = [each.name for each in loaded.settings.routes]
    if route not in names:
        near = difflib.get_close_matches(route, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
        sys.stderr.write(f"{path} has no route {route!r}; {hint}\n")
        return 1
    sys.stdout.write(explain(loaded, route))
    return 0
