"""Near misses and rewrites from templates: `generate(seed, count)`; `changes` and `rewrite` work on any text."""

from quality.edits.changes import changes, normalised
from quality.edits.generate import Pair, domains, generate
from quality.edits.rewrites import REWRITES, rewrite

__all__ = ["REWRITES", "Pair", "changes", "domains", "generate", "normalised", "rewrite"]
