"""A routes file -> settings: read it and what it includes, merge, put presets under routes, read the shape. `read` checks too.

Nothing raises for what is in a file: every problem is in the result, as many at once as can be judged. Settings are
there only if there is no error; the *draft* (settings with neutral values where something is broken) is for `check`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from collections.abc import Mapping as ReadOnly
from pathlib import Path

import msgspec

from gateway.config.check import check
from gateway.config.deny_files import read_deny_files
from gateway.config.files import ReadFile, read_file
from gateway.config.findings import Draft
from gateway.config.include import find_included
from gateway.config.kinds import type_of
from gateway.config.merge import Merged, merge_parts
from gateway.config.model import File, OnnxEmbedder
from gateway.config.preset import merge
from gateway.config.problem import Place, Problem, in_order, json_path
from gateway.config.shape import Shaped, read_shape
from gateway.config.tree import Mapping, Node, Scalar, Sequence

__all__ = ["Draft", "Loaded", "Problem", "load", "read"]


class Loaded(msgspec.Struct, frozen=True):
    """`settings` is None if there is any error. `digest` changes whenever a setting does, interpolated ones included.

    `secrets` are the JSON paths of values that came from the environment or a file; they count through all files, as settings
    do. `watched` are the paths whose change may change the settings, the routes file first: the files that are read, included
    and `${file:...}` ones that are not there (yet), those of `deny`, and the folders that patterns of `include` look into, whose modification
    time changes when a file comes or goes. `source` has each file's text by the name that its problems have, to show their lines.
    """

    settings: File | None
    digest: str
    problems: tuple[Problem, ...]
    secrets: frozenset[str]
    watched: tuple[Path, ...]
    source: ReadOnly[str, str]
    draft: Draft | None


def read(path: Path, env: ReadOnly[str, str]) -> Loaded:
    """Load a routes file and check it: what `serve`, `check` and a reload go by."""
    return _load(read_file(path, env, included=False), path, env, checked=True)


def read_inside(
    main: ReadFile,
    path: Path,
    env: ReadOnly[str, str],
    fit: Callable[[Mapping], Fitted],
    given: frozenset[Place] = frozenset(),
) -> Loaded:
    """As `read`, for a program's own use: `fit` makes its settings of what is written, `given` are the places of callables."""
    return _load(main, path, env, checked=True, fit=fit, given=given)


def load(path: Path, env: ReadOnly[str, str]) -> Loaded:
    """Read a routes file against the model; rules across settings are `check`'s."""
    return _load(read_file(path, env, included=False), path, env, checked=False)


class Fitted(msgspec.Struct, frozen=True):
    """A tree as a program's settings, what is wrong with it as such, and the JSON paths of what is passed over there: their
    problems are nobody's."""

    root: Mapping
    problems: list[Problem]
    passed_over: tuple[str, ...]


def _load(
    main: ReadFile,
    path: Path,
    env: ReadOnly[str, str],
    *,
    checked: bool,
    fit: Callable[[Mapping], Fitted] | None = None,
    given: frozenset[Place] = frozenset(),
) -> Loaded:
    files, watched = [main], [path]
    problems = list(main.problems)
    settings: File | None = None
    secrets: set[Place] = set()
    draft: Draft | None = None
    if main.part is not None:
        included = find_included(main.part, path)
        files += [read_file(each, env, included=True) for each in included.files]
        merged = merge_parts(main.part, [file.part for file in files[1:] if file.part is not None])
        problems += [*included.problems, *(each for file in files[1:] for each in file.problems), *merged.problems]
        # What an unreadable file would have declared is not missed, and what names it is not judged.
        whole = not any(_is_unread(file) for file in files) and not _has_errors(included.problems)
        if fit is not None:
            fitted = fit(merged.root)
            merged = msgspec.structs.replace(merged, root=fitted.root)
            problems = [each for each in problems if not each.path.startswith(fitted.passed_over)] + fitted.problems
        draft, found = _draft(merged, main.name, whole=whole)
        draft = msgspec.structs.replace(draft, inside=fit is not None, given=given)
        denied = read_deny_files(draft.file, draft.written, path)
        draft = msgspec.structs.replace(draft, file=denied.file, broken=draft.broken | denied.broken)
        found += denied.problems
        if checked and whole:
            found += check(draft)
        problems += merged.in_their_files(found)
        settings = None if _has_errors(problems) else draft.file
        secrets = merged.secrets
        watched += [*included.watched, *denied.watched]
    watched += [each for file in files for each in file.watched]
    return Loaded(
        settings=settings,
        digest=_digest_of_broken(files, draft) if settings is None else _digest(settings),
        problems=in_order(problems, [file.name for file in files]),
        secrets=frozenset(json_path(place) for place in secrets),
        watched=tuple(dict.fromkeys(watched)),
        source={file.name: file.text for file in files},
        draft=draft,
    )


def _is_unread(file: ReadFile) -> bool:
    return file.part is None and _has_errors(file.problems)


def _has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.level == "error" for problem in problems)


def _draft(merged: Merged, name: str, *, whole: bool) -> tuple[Draft, list[Problem]]:
    """What can be read of all files together, and the problems of its shape."""
    written = _without_empty_headers(merged.root)
    broken = set(merged.broken)
    if not whole:
        broken |= {(each.encode_name,) for each in type_of(File).fields if each.encode_name not in written.members}
    shaped = _read_settings(written, broken)
    assert isinstance(shaped.value, File)
    file = shaped.value
    if "default" not in file.embedders:
        # The local model is there without being declared; it costs nothing until a route uses it.
        file = msgspec.structs.replace(file, embedders={"default": OnnxEmbedder(), **file.embedders})
    return Draft(file, written, frozenset(shaped.broken), name), shaped.problems


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
    # In the file's order, which matters for `prices`.
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()


def _digest_of_broken(files: Iterable[ReadFile], draft: Draft | None) -> str:
    """Another text, and another value from outside, may mend it."""
    readable = "" if draft is None else _digest(draft.file)
    return hashlib.sha256(b"".join(file.data for file in files) + readable.encode()).hexdigest()


def _plain_number(value: object) -> object:
    match value:
        case float():
            return float(value)
        case int():
            return int(value)
    raise NotImplementedError
