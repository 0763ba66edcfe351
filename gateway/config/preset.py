"""Presets: what the routes of well-known APIs say, as data files with a version; merging them into a route; `fill`.

A preset is merged *under* what the route writes, on the tree, before anything gets a default, so that "written" and
"default" stay apart. Keys that the route writes win; `vary` and `keep` win member by member; `vary.headers` are added to
the preset's, as leaving one out by accident would let callers share what must stay apart.
"""

from __future__ import annotations

from collections.abc import Mapping as ReadOnly
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import msgspec

from gateway.config.model import Defaults, Duration, Name, Preset, Route, Thresholds, Verify
from gateway.config.model_deny import DENIED_AT_LEAST, Deny
from gateway.config.model_routes import AT_LEAST, AT_LEAST_PAIRWISE, CANDIDATE, NO_VERIFIER, PAIRWISE
from gateway.config.query import query_fields
from gateway.config.shape import read_shape
from gateway.config.tree import Mapping, Node, Scalar, Sequence
from gateway.config.yaml import parse
from gateway.errors import ConfigError

FOLDER = Path(__file__).parent / "presets"
MERGED_BY_MEMBER = ("vary", "keep", "usage")
ADDED = ("vary", "headers")


class FilledRoute(Route, frozen=True, kw_only=True):
    """A route with nothing left open: extractors are tuples (empty: none), the embedder and the ttl are there.

    `preset` is "" and `preset_version` 0 for a route without one. `upstream_path` and `strip_prefix` stay None where
    the client's path is used as it is; `allow.threshold` and `allow.ttl` where the wish is ignored; `dialect` where a single
    answer and a stream are two entries; the stale windows where nothing is kept past its ttl; `verify` where no second
    opinion is asked, and then `thresholds.candidate` too.
    """

    query: tuple[str, ...]
    model: tuple[str, ...]
    role: tuple[str, ...]
    stream: tuple[str, ...]
    scope: tuple[str, ...]
    tags: tuple[str, ...]
    preset: str
    embedder: Name
    ttl: Duration
    verify: Verify | None  # type: ignore[assignment]  # narrower than what can be written
    preset_version: int


class _Shipped(msgspec.Struct, frozen=True):
    preset: Preset
    route: Mapping


@lru_cache
def _shipped() -> ReadOnly[str, _Shipped]:
    return MappingProxyType({path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))})


def _read(path: Path) -> _Shipped:
    document = parse(path.read_bytes())
    problems = list(document.problems)
    if isinstance(document.root, Mapping):
        shaped = read_shape(document.root, Preset)
        problems += shaped.problems
        route = document.root.members.get("route")
        if not problems and isinstance(shaped.value, Preset) and isinstance(route, Mapping):
            return _Shipped(shaped.value, route)
    texts = "; ".join(f"{problem.line}:{problem.column}: {problem.text}" for problem in problems)
    raise ConfigError(f"the shipped preset {path.name} cannot be used: {texts}")


def presets() -> ReadOnly[str, Preset]:
    """Every preset by name. Raises ConfigError if a shipped file is damaged."""
    return MappingProxyType({name: shipped.preset for name, shipped in _shipped().items()})


# What a kind says of its routes, as a preset would. A cache is searched by programs that bring no threshold, too.
# To a question nothing else in its body matters, as nothing else goes upstream; an answer that is a stream cannot be given.
KIND_DEFAULTS = MappingProxyType(
    {
        "cache": b"{methods: [POST, DELETE], verify: pairwise}",
        "query": b"""
            query: $.query
            verify: pairwise
            vary: {ignore: ["$.*"]}
            keep: {reject: [$.error, "$.errors[0]"], terminal: []}
        """,
    }
)
OPENAI = "openai-chat"
# What that preset says of answers, which holds for questions that are put in another form as well.
OF_ANSWERS = ("keep", "usage")


@lru_cache
def _kind_defaults(kind: str) -> Mapping:
    root = parse(KIND_DEFAULTS[kind]).root
    assert isinstance(root, Mapping)
    return root


@lru_cache
def _openai_answers() -> Mapping:
    """Its answers, and the headers of clients that change them."""
    preset = _shipped()[OPENAI].route
    members: dict[str, Node] = {name: preset.members[name] for name in OF_ANSWERS}
    match preset.members["vary"]:
        case Mapping(members={"headers": headers}) as vary:
            members["vary"] = msgspec.structs.replace(vary, members={"headers": headers})
    return msgspec.structs.replace(preset, members=members)


def merge(route: Node) -> Node:
    """A route's node with its kind's and its preset's members under it; unchanged where it names neither."""
    match route:
        case Mapping(members={"kind": Scalar(text="query"), "ask": Mapping(members={"model": _})}):
            return _under(_under(route, _openai_answers(), ()), _kind_defaults("query"), ())
        case Mapping(members={"kind": Scalar(text=kind)}) if kind in KIND_DEFAULTS:
            return _under(route, _kind_defaults(kind), ())
        case Mapping(members={"preset": Scalar(text=name)}) if name in _shipped():
            return _under(route, _shipped()[name].route, ())
        case _:
            return route


def _under(written: Mapping, preset: Mapping, place: tuple[str, ...]) -> Mapping:
    members = dict(preset.members)
    if not place and _goes_by_similarity(written):
        members.pop("verify", None)
    for name, member in written.members.items():
        match member, preset.members.get(name):
            case Mapping(), Mapping() as below if not place and name in MERGED_BY_MEMBER:
                members[name] = _under(member, below, (*place, name))
            case Sequence(), Sequence() as below if (*place, name) == ADDED:
                members[name] = msgspec.structs.replace(member, items=(*member.items, *_others(below, member)))
            case _:
                members[name] = member
    return msgspec.structs.replace(written, members=members)


def _goes_by_similarity(route: Mapping) -> bool:
    """Who writes at which similarity to serve, and nothing of a second opinion, wants none."""
    match route.members.get("thresholds"):
        case Mapping(members=thresholds):
            return "hit" in thresholds and "verify" not in route.members
    return False


def _others(below: Sequence, above: Sequence) -> tuple[Node, ...]:
    """The preset's headers that the route does not name itself."""
    named = {item.text.lower() for item in above.items if isinstance(item, Scalar)}
    return tuple(item for item in below.items if isinstance(item, Scalar) and item.text.lower() not in named)


def fill(route: Route, defaults: Defaults) -> FilledRoute:
    """Resolve what a route leaves to the file's defaults. Its preset was merged when the file was read."""
    fields = {name: getattr(route, name) for name in Route.__struct_fields__}
    for name in ("query", "model", "role", "stream", "scope", "tags"):
        fields[name] = as_list(fields[name])
    preset = presets().get(route.preset or "")
    fields["preset"] = route.preset or ""
    fields["preset_version"] = preset.version if preset is not None else 0
    fields["embedder"] = route.embedder or defaults.embedder
    fields["ttl"] = route.ttl or defaults.ttl
    if route.match == "semantic":
        fields["deny"] = tuple(_with_least(each) for each in route.deny)
    fields["verify"] = verify = verify_of(route)
    if verify is not None:
        candidate = CANDIDATE if route.thresholds.candidate is None else route.thresholds.candidate
        fields["thresholds"] = Thresholds(route.thresholds.hit, candidate)
    if route.kind == "query" and route.ask is not None:
        fields |= query_fields(route, fields["thresholds"], verified=verify is not None)
    return FilledRoute(**fields)


def _with_least(deny: Deny) -> Deny:
    return deny if deny.at_least is not None else msgspec.structs.replace(deny, at_least=DENIED_AT_LEAST)


def verify_of(route: Route) -> Verify | None:
    """By whom and from which score on; None where no second opinion is asked."""
    if route.match == "exact" or route.verify == NO_VERIFIER:
        return None
    verify = Verify(by=route.verify) if isinstance(route.verify, str) else route.verify
    usual = AT_LEAST_PAIRWISE if verify.by == PAIRWISE else AT_LEAST
    return Verify(by=verify.by, at_least=usual if verify.at_least is None else verify.at_least)


def compares(route: Route) -> bool:
    """Are stored answers compared with the upstream's?"""
    return route.mode == "shadow" or (route.mode == "serve" and (route.audit > 0 or route.max_error is not None))


def as_list(extractor: str | tuple[str, ...]) -> tuple[str, ...]:
    """An extractor in its one-or-many form -> many."""
    return (extractor,) if isinstance(extractor, str) else extractor
