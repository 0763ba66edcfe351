"""The small grammars of a routes file: listen addresses, URLs, header names and values, path templates, extractors.

Each `*_problem` function takes the text of one setting and gives what is wrong with it, or None. None of them repeats the
text, which may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from gateway.core.extract import compile_extractor
from gateway.core.jsonpath import compile_path

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_NAME = re.compile(r"\{([^{}]*)\}")
_LONGEST_PATH = 1000
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/{}-]|%[0-9A-Fa-f]{2})*")
_QUERY_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?{}-]|%[0-9A-Fa-f]{2})*")
# RFC 9110 7.6.1 and what frames a message: the proxy's own business on every connection.
_FRAMING = frozenset(
    {"connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)


def listen_problem(text: str) -> str | None:
    """`127.0.0.1:8080`, `[::1]:8080`, `gateway.internal:80`."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        return "it must be `host:port`, like `127.0.0.1:8080` or `[::1]:8080`"
    if host.startswith("[") or ":" in host:
        if not (host.startswith("[") and host.endswith("]")):
            return "an IPv6 address goes in brackets, like `[::1]:8080`"
        if not _is_address(host[1:-1]):
            return "what is in the brackets is not an IPv6 address"
    elif _HOST.fullmatch(host) is None:
        return "it must be `host:port`, like `127.0.0.1:8080` or `[::1]:8080`"
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        return "the port must be a number from 1 to 65535"
    return None


def listen_host(text: str) -> str:
    return text.rpartition(":")[0].strip("[]")


def listen_port(text: str) -> str:
    return text.rpartition(":")[2]


def is_loopback(host: str) -> bool:
    """Can only this machine reach it, as far as the name tells?"""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_every_address(host: str) -> bool:
    """`0.0.0.0` and `::`: all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def read_network(text: str) -> Network | None:
    """An address or a network (`10.0.0.0/8`), the bits after its prefix put to 0; None if it is neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_whole_network(text: str) -> bool:
    """Is nothing after the prefix? `10.0.0.0/8` and `10.0.0.7` are, `10.0.0.7/8` is not."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def url_problem(text: str, schemes: tuple[str, ...] = ("http", "https"), userinfo: bool = False) -> str | None:
    """A base URL: scheme, host, perhaps a port and a path; no query, no fragment, no credentials unless `userinfo`."""
    if _VISIBLE.fullmatch(text) is None:
        return "it must be a URL without spaces and non-ASCII characters"
    parts = split_url(text)
    wanted = " or ".join(f"`{scheme}://`" for scheme in schemes)
    if parts is None:
        return "the host or the port in it is not valid"
    if parts.scheme not in schemes:
        return f"it must begin with {wanted}"
    if not parts.hostname:
        return f"there is no host after {wanted}"
    if parts.username is not None and not userinfo:
        return "it holds credentials; write them as `headers:` instead"
    if parts.query or "?" in text:
        return "it must not have a query string (`?...`)"
    if parts.fragment or "#" in text:
        return "it must not have a fragment (`#...`)"
    return None


def split_url(text: str) -> SplitResult | None:
    """The parts of a URL, or None if host or port are not valid."""
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        return None
    valid_host = not host or _HOST.fullmatch(host) is not None or _is_address(host)
    return parts if valid_host and port != 0 else None


def header_name_problem(name: str) -> str | None:
    return "is not a valid header name" if _TOKEN.fullmatch(name) is None else None


_OWN_IN_ANSWERS = frozenset({"age", "cache-status", "content-encoding", "content-type", "date", "vary", "via"})


def own_header_problem(name: str) -> str | None:
    """A header that the file sets, rather than reads."""
    if (problem := header_name_problem(name)) is not None:
        return problem
    if name.lower() in _FRAMING:
        return "is set by semgate itself on every connection"
    return None


def answer_header_problem(name: str) -> str | None:
    """A header that the file adds to answers."""
    own = name.lower() in _OWN_IN_ANSWERS or name.lower().startswith("x-cache")
    return "is set by semgate itself, or is the upstream's, in every answer" if own else None


def removed_header_problem(name: str) -> str | None:
    """A header that the file takes out of requests."""
    if (problem := header_name_problem(name)) is not None:
        return problem
    if name.lower() == "host":
        return "cannot be removed: every request has one"
    if name.lower() in _FRAMING:
        return "is never passed on: semgate sets it itself on every connection"
    return None


def header_value_problem(value: str) -> str | None:
    if _VALUE.fullmatch(value) is None:
        return "has a line break or another character in it that no header can carry"
    if value != value.strip(" \t"):
        return "has white space at its beginning or end, which no header keeps"
    return None


def is_visible_ascii(text: str) -> bool:
    """Can it be sent as a key in a header?"""
    return _VISIBLE.fullmatch(text) is not None


def path_problem(path: str) -> str | None:
    """A route's path: `/exact`, `/models/{model}:generate`, `/files/*`."""
    problem = plain_path_problem(path)
    if problem is not None:
        return problem
    if "*" in path.removesuffix("/*"):
        return "`*` can only stand at the end, as `/*`"
    if path == "/-" or path.startswith("/-/"):
        return "paths under `/-/` are semgate's own"
    names = path_names(path)
    if len(set(names)) != len(names):
        return "two variables in it have the same name"
    if any(segment.count("{") > 1 for segment in path.split("/")):
        return "there can be one `{name}` in a segment, as two would be guesswork"
    return None


def plain_path_problem(path: str) -> str | None:
    """What is wrong with a path, its `{name}`s aside."""
    if not path.startswith("/"):
        return "it must begin with `/`"
    if "?" in path or "#" in path:
        return "it must not have a query string (`?`) or a fragment (`#`)"
    if "//" in path:
        return "it has an empty segment (`//`)"
    if _PATH_CHARACTERS.fullmatch(path) is None:
        return "it has a character that paths cannot have; percent-encode it (`%20` for a space)"
    if {".", ".."}.intersection(path.split("/")):
        return "it has a `.` or `..` segment, which clients resolve before they send it"
    return _variables_problem(path)


def _variables_problem(text: str) -> str | None:
    if any(_IDENTIFIER.fullmatch(name) is None for name in path_names(text)):
        return "a variable is written `{name}`, with letters, digits and `_`"
    if "{" in _NAME.sub("", text) or "}" in _NAME.sub("", text):
        return "a brace in it has no partner; a variable is written `{name}`"
    return None


def target_problem(text: str) -> str | None:
    """A path with perhaps a query string, both with `{name}`s: what an upstream is asked for."""
    if "#" in text:
        return "it must not have a fragment (`#`)"
    path, mark, query = text.partition("?")
    problem = plain_path_problem(path)
    if problem is not None:
        return problem
    if "*" in path:
        return "it cannot hold `*`"
    if mark and _QUERY_CHARACTERS.fullmatch(query) is None:
        return "its query string has a character that URLs cannot have; percent-encode it (`%20` for a space)"
    return _variables_problem(query)


def path_names(path: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(path))


def path_shape(path: str) -> str:
    """The path without the names of its variables: equal shapes match the same requests."""
    return _NAME.sub("{}", path)


def extractor_problem(text: str, names: tuple[str, ...] | None) -> str | None:
    """`$.a.b`, `header:Name`, `query:name` or `path:name`; `names` are the variables of the route's path (None: unknown)."""
    if text.startswith("$"):
        return jsonpath_problem(text)
    kind, _, name = text.partition(":")
    if kind == "header" and header_name_problem(name) is not None:
        return "what follows `header:` is not a valid header name"
    try:
        compile_extractor(text)
    except ValueError as error:
        return str(error)
    if kind == "path" and names is not None and name not in names:
        return f"the route's path has no `{{{name}}}`"
    return None


def terminal_problem(text: str) -> str | None:
    """The last event of a stream: its data (`[DONE]`), its name (`event:end`) or a JSONPath into it."""
    if text.startswith("$"):
        return jsonpath_problem(text)
    if text.startswith("event:"):
        return None if text.removeprefix("event:").strip() else "`event:` needs the event's name, like `event:end`"
    if not text.strip():
        return (
            "an entry is empty; write the last event's data, like `[DONE]`, its name, like `event:end`, or a JSONPath"
        )
    return None if text == text.strip() else "data is compared without white space around it, so leave it out here"


def jsonpath_problem(text: str) -> str | None:
    if not text.startswith("$"):
        return "expected a JSONPath like `$.a.b`"
    if len(text) > _LONGEST_PATH:
        return f"a JSONPath can have {_LONGEST_PATH} characters"
    try:
        compile_path(text)
    except ValueError as error:
        return f"not a JSONPath (RFC 9535): {error}"
    except RecursionError:
        return "not a JSONPath (RFC 9535): nested too deeply"
    return None


def covers(pattern: str, other: str) -> bool:
    """Does every name that matches `other` match `pattern` as well? `*` is any text; all else is literal."""
    regex = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    # Taking `*` in `other` for a letter is sound: what matches it here, matches whatever stands there.
    return re.fullmatch(regex, other, re.DOTALL) is not None
