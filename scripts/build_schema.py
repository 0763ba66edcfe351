"""Writes schemas/routes.schema.json from the settings' structs; `--check` only says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.config.schema import schema_text

TARGET = Path(__file__).parents[1] / "schemas" / "routes.schema.json"


def main() -> int:
    if "--check" in sys.argv[1:]:
        current = TARGET.is_file() and TARGET.read_text("utf-8") == schema_text()
        print("schemas/routes.schema.json is", "current" if current else "stale: run scripts/build_schema.py")
        return 0 if current else 1
    TARGET.write_text(schema_text(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
