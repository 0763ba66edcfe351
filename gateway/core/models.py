"""Patterns of model names, as `models:` and `prices:` write them: `*` stands for any characters, and case matters."""

from __future__ import annotations

import re

import msgspec


class ModelPattern(msgspec.Struct, frozen=True):
    """One pattern: as written, and as it matches."""

    text: str
    pattern: re.Pattern[str]


def compile_model(text: str) -> ModelPattern:
    literals = (re.escape(literal) for literal in text.split("*"))
    return ModelPattern(text, re.compile(".*".join(literals), re.DOTALL))
