"""Files for an import: whole rows, and questions with answers."""

from __future__ import annotations

import json
from pathlib import Path


def whole_rows(count: int) -> bytes:
    return b"".join(
        b'{"route": "ask", "body": {"query": "%d"}, "answer": {"a": 1.00}}\n' % each for each in range(count)
    )


def write_questions(file: Path, count: int) -> None:
    lines = [json.dumps({"question": f"Question {each}?", "answer": f"Answer {each}."}) for each in range(count)]
    file.write_text("\n".join(lines) + "\n")
