"""Settings of a program -> settings: a routes file, or the same as plain Python objects, checked as strictly as any.

Objects become the tree that a file becomes, so there is one way to judge both. Inside a program the application is the
upstream: `upstreams` need not be there, and what only a gateway has a use for has no effect. In a file, which a gateway may
share, that is passed over; among objects, which are written for the program, it is an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping as ReadOnly
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gateway.config.files import ReadFile, read_file
from gateway.config.interpolate import fill_in
from gateway.config.load import Fitted, read_inside
from gateway.config.merge import Part
from gateway.config.model import File, Server
from gateway.config.naming import with_names
from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import Mapping, Node, Scalar, Sequence, position
from gateway.errors import ConfigError

Function: TypeAlias = Callable[[Any], Any]

CALLABLE_SETTINGS = ("query", "model", "scope", "keep_if")
# The upstream that stands for the program's own application.
UPSTREAM = "inside-the-program"
SERVER = ("namespace", "data_dir", "digest_key")
"""What a program's settings say of a server."""
DEEPEST = 40
"""Levels of objects in objects."""
# Kind of a route -> who has a use for it.
USERS = {
    "proxy": "requests are answered by a middleware or a transport",
    "cache": "a program uses such a route by hand, with SemanticCache",
    "query": "it is how a gateway asks an upstream",
}


class Prepared(msgspec.Struct, frozen=True):
    """Settings without errors. `callables` are those of each route that has any, by its name and the setting's; `warnings`
    are lines for a log; `digest` changes whenever a setting does."""

    settings: File
    digest: str
    callables: ReadOnly[str, ReadOnly[str, Function]]
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where one set of parts can serve both: the same settings, the same functions."""
        named = ((route, name, each[name]) for route, each in self.callables.items() for name in each)
        return self.digest, *sorted(named, key=lambda entry: entry[:2])


def prepare(
    config: str | Path | ReadOnly[str, object] | None,
    *,
    default: ReadOnly[str, object],
    namespace: str,
    kind: str = "proxy",
    env: ReadOnly[str, str] | None = None,
) -> Prepared:
    """Settings from a routes file's path, or from a mapping of the same structure. What a mapping leaves out at its top, or of
    `server`, is the door's `default`, and so is everything where there is no mapping (None).

    `kind` is that of the routes that the door has a use for: a mapping has no others, and of a file they are passed over.
    `namespace` is taken where none is written. `${...}` is filled in from `env`, the process's own unless it is given.
    Raises ConfigError with all problems.
    """
    env = os.environ if env is None else env
    functions: dict[Place, Function] = {}
    if isinstance(config, (str, Path)):
        path = Path(config)
        main = read_file(path, env, included=False)
    else:
        path = Path("config")
        main = _read_objects(_over(default, {} if config is None else config), env, functions)
    fitter = _Fitter(namespace, kind, strict=not isinstance(config, (str, Path)))
    loaded = read_inside(main, path, env, fitter.fit, frozenset(functions))
    if loaded.settings is None:
        raise ConfigError("\n".join(_in_words(each) for each in loaded.problems if each.level == "error"))
    if all(route.kind != kind for route in loaded.settings.routes):
        raise ConfigError(f"{path}: $.routes: no route is of `kind: {kind}`, so nothing would be cached")
    callables: dict[str, dict[str, Function]] = {}
    for (_, index, setting), function in functions.items():
        callables.setdefault(loaded.settings.routes[int(index)].name, {})[str(setting)] = function
    warnings = tuple(_in_words(each) for each in loaded.problems if each.level == "warning")
    return Prepared(loaded.settings, loaded.digest, callables, warnings)


def _over(default: ReadOnly[str, object], config: object) -> object:
    """So that one setting can be changed without writing the rest."""
    if not isinstance(config, ReadOnly):
        return config
    whole = {**default, **config}
    server, written = default.get("server"), config.get("server")
    if isinstance(server, ReadOnly) and isinstance(written, ReadOnly):
        whole["server"] = {**server, **written}
    return whole


def _in_words(problem: Problem) -> str:
    where = (
        f"{problem.file}:{problem.line}:{problem.column}: " if problem.line else problem.file and f"{problem.file}: "
    )
    return f"{where}{problem.path}: {problem.text}" + (f" ({problem.hint})" if problem.hint else "")


def _read_objects(config: object, env: ReadOnly[str, str], functions: dict[Place, Function]) -> ReadFile:
    """Objects as a file that was read; `functions` gets the callables."""
    reader = _ObjectReader(functions)
    root = reader.node(config, ())
    if not isinstance(root, Mapping):
        problem = Problem("$", 0, 0, f"settings must be a mapping or the path of a file, not {type(config).__name__}")
        return ReadFile("", b"", None, [problem])
    filled = fill_in(root, env, Path())
    assert isinstance(filled.root, Mapping)
    part = Part("", filled.root, frozenset(reader.broken | filled.broken), filled.secrets)
    return ReadFile("", b"", part, [*reader.problems, *filled.problems], filled.watched)


class _ObjectReader:
    """Plain objects -> nodes without places in a file."""

    def __init__(self, functions: dict[Place, Function]) -> None:
        self.problems: list[Problem] = []
        self.broken: set[Place] = set()
        self._functions = functions

    def node(self, value: object, place: Place) -> Node:
        match value:
            case None:
                return _scalar("null", plain=True)
            case bool():
                return _scalar("true" if value else "false", plain=True)
            case int() | float():
                return _scalar(repr(value), plain=True)
            case str():
                return _scalar(str(value), plain=False)
            case Path():
                return _scalar(str(value), plain=False)
            case ReadOnly() if len(place) < DEEPEST:
                return self._mapping(value, place)
            case list() | tuple() if len(place) < DEEPEST:
                return Sequence(tuple(self.node(item, (*place, index)) for index, item in enumerate(value)), 0, 0)
            case _ if callable(value) and _takes_callable(place):
                self._functions[place] = value
                return _scalar(f"given:{place[-1]}", plain=False)
            case _:
                return self._unknown(value, place)

    def _mapping(self, value: ReadOnly[Any, object], place: Place) -> Node:
        members: dict[str, Node] = {}
        for name, member in value.items():
            if not isinstance(name, str):
                self._note(place, f"a key must be text, not {type(name).__name__}")
            elif name == "keep_if" and _takes_callable((*place, name)):
                self._keep_if(member, (*place, name))
            else:
                members[name] = self.node(member, (*place, name))
        return Mapping(members, dict.fromkeys(members, (0, 0)), 0, 0)

    def _keep_if(self, value: object, place: Place) -> None:
        """No extractor says yes or no: it is a callable or not there, so it is no member of the tree."""
        if callable(value):
            self._functions[place] = value
        else:
            self._note(place, "`keep_if` must be a callable: it takes a Request and gives True, False or None")

    def _unknown(self, value: object, place: Place) -> Node:
        what = "a callable" if callable(value) else type(value).__name__
        hint = "callables stand for a route's " + ", ".join(CALLABLE_SETTINGS) if callable(value) else ""
        self._note(place, f"settings are plain objects: text, numbers, lists and mappings, not {what}", hint)
        self.broken.add(place)
        return _scalar("", plain=False)

    def _note(self, place: Place, text: str, hint: str = "") -> None:
        self.problems.append(Problem(json_path(place), 0, 0, text, hint))


def _scalar(text: str, *, plain: bool) -> Scalar:
    return Scalar(text, plain, 0, 0)


def _takes_callable(place: Place) -> bool:
    match place:
        case ("routes", int(), str(name)):
            return name in CALLABLE_SETTINGS
        case _:
            return False


class _Fitter:
    """Makes a program's settings of what is written. `strict`: what has no effect there is an error."""

    def __init__(self, namespace: str, kind: str, *, strict: bool) -> None:
        self._namespace = namespace
        self._kind = kind
        self._strict = strict
        self._problems: list[Problem] = []
        self._passed_over: list[str] = []

    def fit(self, root: Mapping) -> Fitted:
        members = dict(root.members)
        self._drop(root, members, ("clients",), "who may call is for the program itself to say")
        if self._strict:
            members.setdefault("version", _scalar("1", plain=True))
            self._drop(root, members, ("include",), "settings that are Python objects are put together in Python")
        members["server"] = self._server(root, members.get("server"))
        routes = members.get("routes")
        if isinstance(routes, Sequence):
            named = with_names(routes.items) if self._strict else routes.items
            items = tuple(self._route(root, index, item) for index, item in enumerate(named))
            members["routes"] = msgspec.structs.replace(routes, items=items)
            self._set_upstreams(root, members, items)
        keys = {name: root.keys.get(name, (root.line, root.column)) for name in members}
        fitted = msgspec.structs.replace(root, members=members, keys=keys)
        return Fitted(fitted, self._problems, tuple(self._passed_over))

    def _server(self, root: Mapping, node: Node | None) -> Node:
        if node is not None and not isinstance(node, Mapping):
            return node  # a problem of shape
        members = {} if node is None else dict(node.members)
        for name in Server.__struct_encode_fields__:
            if name not in SERVER:
                self._drop(root, members, ("server", name), "a program listens, and ends, by itself")
        members.setdefault("namespace", _scalar(self._namespace, plain=False))
        return Mapping(members, dict.fromkeys(members, (0, 0)) | ({} if node is None else node.keys), 0, 0)

    def _route(self, root: Mapping, index: int, node: Node) -> Node:
        if not isinstance(node, Mapping):
            return node
        kind = node.members.get("kind")
        if isinstance(kind, Scalar):
            if self._strict and kind.text != self._kind and kind.text in USERS:
                text = f"`kind: {kind.text}` has no effect here: {USERS[kind.text]}"
                path = json_path(("routes", index, "kind"))
                self._problems.append(Problem(path, kind.line, kind.column, text, "leave it out", file=kind.file))
            if kind.text == "cache":
                return node  # asks nobody
        members = dict(node.members)
        for name in ("upstream", "upstream_path", "strip_prefix"):
            self._drop(root, members, ("routes", index, name), "the program itself is what answers")
        members["upstream"] = _scalar(UPSTREAM, plain=False)
        return msgspec.structs.replace(node, members=members, keys={**node.keys, "upstream": (node.line, node.column)})

    def _set_upstreams(self, root: Mapping, members: dict[str, Node], routes: tuple[Node, ...]) -> None:
        """What only routes would have asked is not there; others may be needed by what else asks upstreams."""
        if not any(_asks_another(route) for route in routes):
            self._drop(root, members, ("upstreams",), "the program itself is what answers")
        if not any(isinstance(route, Mapping) and "upstream" in route.members for route in routes):
            return
        node = members.get("upstreams", Mapping({}, {}, 0, 0))
        if isinstance(node, Mapping):
            stand_in = Mapping({"respond": Mapping({}, {}, 0, 0)}, {"respond": (0, 0)}, 0, 0)
            named, keys = {**node.members, UPSTREAM: stand_in}, {**node.keys, UPSTREAM: (0, 0)}
            members["upstreams"] = msgspec.structs.replace(node, members=named, keys=keys)

    def _drop(self, root: Mapping, members: dict[str, Node], place: Place, why: str) -> None:
        name = str(place[-1])
        if members.pop(name, None) is None:
            return
        path = json_path(place)
        self._passed_over.append(path)
        if self._strict:
            spot = position(root, place)
            text = f"`{name}` has no effect inside a program: {why}"
            self._problems.append(Problem(path, spot.line, spot.column, text, "leave it out", file=spot.file))


def _asks_another(route: Node) -> bool:
    """Does it name an upstream for something else than its requests?"""
    return isinstance(route, Mapping) and "synthesis" in route.members
