"""Settings -> plain values as a routes file would say them: durations and sizes with units, keys by their file names."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.config.model import Duration, Share, Size
from gateway.config.problem import Place
from gateway.config.units import write_duration, write_share, write_size


def _same(_place: Place, value: object) -> object:
    return value


def plain(value: object, place: Place = (), each: Callable[[Place, object], object] = _same) -> object:
    """Plain mappings (without what is None), lists and scalars; `each` sees every scalar with its place in the file and may replace it."""
    match value:
        case msgspec.Struct():
            config = value.__struct_config__
            tag = {} if config.tag_field is None else {config.tag_field: config.tag}
            names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
            members = {shown: plain(getattr(value, name), (*place, shown), each) for name, shown in names}
            return tag | {name: member for name, member in members.items() if member is not None}
        case dict():
            return {name: plain(member, (*place, name), each) for name, member in value.items()}
        case tuple():
            return [plain(item, (*place, index), each) for index, item in enumerate(value)]
        case Duration():
            return each(place, write_duration(value))
        case Share():
            return each(place, write_share(value))
        case Size():
            return each(place, write_size(value))
        case _:
            return each(place, value)
