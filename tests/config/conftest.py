"""Puts the modules beside this one within reach of the tests: importlib mode adds no folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
