"""What every struct of a routes file is made of: the house rules, and the kinds of value that several settings share.

Durations are seconds, sizes are bytes; both are written with a unit. The rest of the model is in `model_process`,
`model_embedders`, `model_upstreams`, `model_routes` and others of such names; `model` puts it together.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta


class Duration(float):
    """Seconds. Written `250ms`, `5s`, `10m`, `24h` or `7d`."""


class Interval(Duration):
    """Seconds between two looks at something. Written like a duration; a bare 0 says never."""


class Share(float):
    """A part of the whole, 0 to 1. Written `1%` or `0.01`."""


class Size(int):
    """Bytes. Written `512B`, `64KiB`, `10MiB` or `1GiB`; a bare 0 is allowed."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """House rules for every struct of a routes file: frozen (type checkers want it said again below), no unknown fields."""


Extractor: TypeAlias = Annotated[
    str | tuple[str, ...],
    Meta(
        description="Where a value is: a JSONPath into the body (`$.a.b`, RFC 9535 without the regex functions), "
        "`header:Name`, `query:name`, `path:name`, or a list of these. In a list, `query` and `model` take the first "
        "that has a value; `scope` needs all of them together; `bypass` takes any, `tags` takes all that there are."
    ),
]
# `extra["wants"]` is how a problem says what a pattern admits; `extra["missing"]` what to write where a key is not there.
Name: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
        extra={"wants": "a name of letters, digits, `_`, `.` and `-` (63 at most, the first a letter or digit)"},
    ),
]
DialectName: TypeAlias = Literal[
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "anthropic-messages",
    "ollama-chat",
    "ollama-generate",
]
Ratio: TypeAlias = Annotated[float, Meta(ge=0.0, le=1.0)]
Dollars: TypeAlias = Annotated[float, Meta(ge=0.0)]
RoutePattern: TypeAlias = Annotated[
    str, Meta(pattern="^.{1,256}$", extra={"wants": "a route's name or a pattern like `openai-*`"})
]
ModelPattern: TypeAlias = Annotated[
    str, Meta(pattern="^.{1,256}$", extra={"wants": "a model's name or a pattern like `gpt-4o*`"})
]
