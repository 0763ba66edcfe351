"""Names for routes that have none: in a program nobody calls a route by its name, and its path tells it apart.

A name is part of every key, so it is made of what stays: the path, and among routes of one path their order.
"""

from __future__ import annotations

import re
from itertools import chain, count

import msgspec

from gateway.config.tree import Mapping, Node, Scalar

LONGEST_STEM = 50
"""Characters of a path that become a route's name."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_.]+")


def with_names(routes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The same routes, each with a name."""
    taken = {_text(route, "name") for route in routes}
    named: list[Node] = []
    for route in routes:
        path = _text(route, "path")
        if isinstance(route, Mapping) and "name" not in route.members and path is not None:
            stem = _NO_NAME.sub("-", path).strip("-_.")[:LONGEST_STEM] or "all"
            names = chain([stem], (f"{stem}-{turn}" for turn in count(2)))
            name = next(each for each in names if each not in taken)
            taken.add(name)
            members = {**route.members, "name": Scalar(name, False, 0, 0)}
            route = msgspec.structs.replace(route, members=members, keys={**route.keys, "name": (0, 0)})
        named.append(route)
    return tuple(named)


def _text(route: Node, member: str) -> str | None:
    found = route.members.get(member) if isinstance(route, Mapping) else None
    return found.text if isinstance(found, Scalar) else None
