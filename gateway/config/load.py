"""A routes file -> settings: read, parse, fill in `${...}`, merge presets, read the shape. `read` checks it as well.

Nothing raises for what is in the file: every problem is in the result, as many at once as can be judged. Settings are
there only if there is no error; the *draft* (settings with neutral values where something is broken) is for `check`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as EnvMapping
from pathlib import Path

import msgspec

from gateway.config.check import check
from gateway.config.findings import Draft
from gateway.config.interpolate import fill_in
from gateway.config.model import File, OnnxEmbedder
from gateway.config.preset import merge
from gateway.config.problem import Place, Problem, in_order, json_path
from gateway.config.shape import Shaped, read_shape
from gateway.config.tree import Mapping, Node, Scalar, Sequence
from gateway.config.yaml import MAX_BYTES, parse

__all__ = ["Draft", "Loaded", "Problem", "load", "read"]


class Loaded(msgspec.Struct, frozen=True):
    """`settings` is None if there is any error. `digest` changes whenever a setting does, interpolated ones included.

    `secrets` are the JSON paths of values that came from the environment or a file, `watched` the files that the
    settings came from (the routes file first), `source` the routes file's text for showing a problem's line.
    """

    settings: File | None
    digest: str
    problems: tuple[Problem, ...]
    secrets: frozenset[str]
    watched: tuple[Path, ...]
    source: str
    draft: Draft | None


def read(path: Path, env: EnvMapping[str, str]) -> Loaded:
    """Load a routes file and check it: what `serve`, `check` and a reload go by."""
    loaded = _read_file(path, env)
    found = () if loaded.draft is None else check(loaded.draft)
    problems = in_order((*loaded.problems, *found))
    failed = any(problem.level == "error" for problem in problems)
    return msgspec.structs.replace(loaded, problems=problems, settings=None if failed else loaded.settings)


def load(path: Path, env: EnvMapping[str, str]) -> Loaded:
    """Read one routes file against the model; rules across settings are `check`'s."""
    loaded = _read_file(path, env)
    return msgspec.structs.replace(loaded, problems=in_order(loaded.problems))


def _read_file(path: Path, env: EnvMapping[str, str]) -> Loaded:
    """All problems, in no order."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        problem = Problem("$", 0, 0, f"the file cannot be read: {reason}", file=_shown(path))
        return _failed(path, b"", (problem,))
    return _load(path, data, env)


def _failed(path: Path, data: bytes, problems: tuple[Problem, ...]) -> Loaded:
    digest = hashlib.sha256(data).hexdigest()
    return Loaded(None, digest, problems, frozenset(), (path,), data.decode("utf-8", "replace"), None)


def _load(path: Path, data: bytes, env: EnvMapping[str, str]) -> Loaded:
    document = parse(data)
    problems = list(document.problems)
    if not isinstance(document.root, Mapping):
        if document.root is not None:
            hint = "a routes file has at least `version`, `upstreams` and `routes`"
            problems.append(Problem("$", document.root.line, document.root.column, "the file must be a mapping", hint))
        return _failed(path, data, _in(path, problems))
    filled = fill_in(document.root, env, path.parent)
    assert isinstance(filled.root, Mapping)
    written = _without_empty_headers(filled.root)
    broken = document.broken | filled.broken
    shaped = _read_settings(written, broken)
    problems += [*filled.problems, *shaped.problems]
    assert isinstance(shaped.value, File)
    file = shaped.value
    if "default" not in file.embedders:
        # The local model is there without being declared; it costs nothing until a route uses it.
        file = msgspec.structs.replace(file, embedders={"default": OnnxEmbedder(), **file.embedders})
    found = _in(path, problems)
    return Loaded(
        settings=None if found else file,
        digest=hashlib.sha256(data).hexdigest() if found else _digest(file),
        problems=found,
        secrets=frozenset(json_path(place) for place in filled.secrets),
        watched=(path, *filled.watched),
        source=data.decode("utf-8", "replace").removeprefix("\ufeff"),
        draft=Draft(file, written, frozenset(shaped.broken), _shown(path)),
    )


def _in(path: Path, problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(msgspec.structs.replace(problem, file=_shown(path)) for problem in problems)


def _shown(path: Path) -> str:
    """A file name that can be printed, even if its bytes are not UTF-8."""
    return str(path).encode("utf-8", "replace").decode()


def _read_settings(written: Mapping, broken: set[Place]) -> Shaped:
    members = dict(written.members)
    match members.get("routes"):
        case Sequence() as routes:
            members["routes"] = msgspec.structs.replace(routes, items=tuple(merge(route) for route in routes.items))
        case _:
            pass
    return read_shape(msgspec.structs.replace(written, members=members), File, broken)


def _without_empty_headers(root: Mapping) -> Mapping:
    """Drop upstream headers whose `${...}` parts are all empty, so that the client's own header passes."""
    match root.members.get("upstreams"):
        case Mapping(members=upstreams) as node:
            kept: dict[str, Node] = {name: _with_set_headers(upstream) for name, upstream in upstreams.items()}
            upstreams_node = msgspec.structs.replace(node, members=kept)
            return msgspec.structs.replace(root, members={**root.members, "upstreams": upstreams_node})
        case _:
            return root


def _with_set_headers(upstream: Node) -> Node:
    match upstream:
        case Mapping(members={"headers": Mapping(members=headers) as node}):
            kept = {name: value for name, value in headers.items() if not (isinstance(value, Scalar) and value.empty)}
            headers_node = msgspec.structs.replace(node, members=kept)
            return msgspec.structs.replace(upstream, members={**upstream.members, "headers": headers_node})
        case _:
            return upstream


def _digest(file: File) -> str:
    """Of the settings, not of the text: a changed comment is no change, a changed secret is one."""
    plain = msgspec.to_builtins(file, enc_hook=_plain_number)
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def _plain_number(value: object) -> object:
    match value:
        case float():
            return float(value)
        case int():
            return int(value)
    raise NotImplementedError
