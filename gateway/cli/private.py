"""Files that hold questions and answers, or tell of them: readable by their owner only, whatever the umask."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def create(file: Path) -> BinaryIO:
    """A new file: never one that is there, nor what a link of that name leads to. Raises OSError."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
