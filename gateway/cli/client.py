"""The admin API of a running gateway, one method for each thing it can be asked, in the types of `operations`.

httpx's errors and the gateway's refusals become `Failed` here, at one seam: one line that says what to do. Every wait is
bounded by `--timeout`. No message holds the token.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec

from gateway.cli.failure import Failed, Refused, Unreachable
from gateway.cli.options import TOKEN_VARIABLE, Reach
from gateway.cli.target import Target, certificate_check, find_target
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, FalsePositive, SparedShown
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryShown,
    EntryWhole,
    FileProblem,
    Imported,
    LookupAnswer,
    LookupQuestion,
    PurgeOrder,
    PurgeResult,
    Readiness,
    Reloaded,
    Running,
    Stats,
)

T = TypeVar("T")

# Entries asked for at once; the gateway may give fewer.
PAGE = 100
NDJSON = "application/x-ndjson"
_CONNECT_SECONDS = 10.0


class _Problem(msgspec.Struct, frozen=True):
    """RFC 9457, as the gateway writes it."""

    title: str = ""
    detail: str = ""
    problems: list[FileProblem] = []


class ReloadFailed(Refused):
    """The old configuration runs on; `problems` of the file, if those were the reason."""

    def __init__(self, refused: Refused, problems: list[FileProblem]) -> None:
        super().__init__(refused.message, refused.status, refused.detail)
        self.problems = problems


class Gateway:
    """A running gateway. Methods raise Unreachable or Refused."""

    def __init__(self, target: Target, timeout: float) -> None:
        self.url = target.url
        self._timeout = timeout
        self._http = httpx.Client(
            base_url=f"{target.url}/-/",
            headers={"Authorization": f"Bearer {target.token}", "Accept": "application/json"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS)),
            verify=certificate_check(target),
            trust_env=not target.direct,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def readiness(self) -> Readiness:
        return self._ask("GET", "ready", Readiness)

    def running(self) -> Running:
        return self._ask("GET", "config", Running)

    def stats(self) -> Stats:
        return self._ask("GET", "stats", Stats)

    def lookup(self, question: LookupQuestion) -> LookupAnswer:
        return self._ask("POST", "lookup", LookupAnswer, content=msgspec.json.encode(question))

    def purge(self, order: PurgeOrder) -> PurgeResult:
        return self._ask("POST", "purge", PurgeResult, content=msgspec.json.encode(order))

    def entry(self, entry_id: str) -> EntryWhole:
        return self._ask("GET", f"entries/{_segment(entry_id)}", EntryWhole)

    def remove(self, entry_id: str) -> None:
        self._send("DELETE", f"entries/{_segment(entry_id)}")

    def entries(self, route: str | None, limit: int | None) -> Iterator[EntryShown]:
        """As many as `limit` (None: all), page after page."""
        after: str | None = None
        left = limit
        while left is None or left > 0:
            asked = {"route": route, "limit": str(PAGE if left is None else min(left, PAGE)), "after": after}
            page = self._ask("GET", "entries", EntriesPage, params=_given(asked))
            yield from page.entries if left is None else page.entries[:left]
            left = None if left is None else left - len(page.entries)
            if page.next is None:
                return
            if page.next == after:
                raise Failed(f"{self.url} gives the same page of entries again and again")
            after = page.next

    def denied(self, route: str | None) -> Iterator[DeniedShown]:
        """Page after page."""
        after: str | None = None
        while True:
            page = self._ask("GET", "deny", DeniedPage, params=_given({"route": route, "after": after}))
            yield from page.denied
            if page.next is None:
                return
            if page.next == after:
                raise Failed(f"{self.url} gives the same page of denied questions again and again")
            after = page.next

    def deny(self, order: DenyOrder) -> DeniedShown:
        return self._ask("POST", "deny", DeniedShown, content=msgspec.json.encode(order))

    def allow(self, denied_id: str) -> None:
        self._send("DELETE", f"deny/{_segment(denied_id)}")

    def report(self, denied_id: str, question: str) -> SparedShown:
        content = msgspec.json.encode(FalsePositive(question))
        return self._ask("POST", f"deny/{_segment(denied_id)}/false-positive", SparedShown, content=content)

    def reload(self, *, force: bool) -> Reloaded:
        """Raises ReloadFailed where the file, or what is new in it, is refused."""
        response = self._fetch("POST", "reload", params={"force": "true"} if force else {})
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise ReloadFailed(_refusal(response, self.url), _problem(response).problems)
        return _decoded(self._accepted(response), Reloaded, self.url)

    def import_lines(self, lines: bytes, route: str | None) -> Imported:
        headers = {"Content-Type": NDJSON}
        return self._ask("POST", "import", Imported, content=lines, headers=headers, params=_given({"route": route}))

    def feedback(self, order: FeedbackOrder) -> FeedbackResult:
        return self._ask("POST", "feedback", FeedbackResult, content=msgspec.json.encode(order))

    def shadow(self, route: str | None, since: str | None) -> ShadowReport:
        return self._ask("GET", "shadow", ShadowReport, params=_given({"route": route, "since": since}))

    def reset_shadow(self, route: str) -> ShadowReset:
        return self._ask("DELETE", "shadow", ShadowReset, params={"route": route})

    def shadow_log(self, route: str | None, since: str | None) -> AbstractContextManager[Iterator[bytes]]:
        """The judgements as JSON lines, in pieces as they come."""
        return self._lines("shadow/log", {"route": route, "since": since})

    def export(self, route: str | None) -> AbstractContextManager[Iterator[bytes]]:
        """The entries as JSON lines, in pieces as they come."""
        return self._lines("export", {"route": route})

    @contextlib.contextmanager
    def _lines(self, path: str, parameters: dict[str, str | None]) -> Iterator[Iterator[bytes]]:
        with self._translated():
            wanted = {"Accept": NDJSON}
            with self._http.stream("GET", path, params=_given(parameters), headers=wanted) as response:
                if not response.is_success:
                    response.read()
                yield self._accepted(response).iter_bytes()

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> T:
        return _decoded(self._send(method, path, content=content, headers=headers, params=params), kind, self.url)

    def _send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        return self._accepted(self._fetch(method, path, content=content, headers=headers, params=params))

    def _fetch(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        typed = {"Content-Type": "application/json"} if content is not None else {}
        with self._translated():
            return self._http.request(
                method, path, content=content, headers={**typed, **(headers or {})}, params=params
            )

    def _accepted(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        raise _refusal(response, self.url)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise Unreachable(f"{self.url} did not answer within {self._timeout:g} s (--timeout)") from error
        except httpx.ConnectError as error:
            raise Unreachable(f"cannot reach {self.url}: {_reason(error)}") from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise Unreachable(f"the connection to {self.url} broke: {_reason(error)}") from error


def open_gateway(reach: Reach) -> Gateway:
    """The gateway that the options and the routes file mean; nothing is asked of it yet."""
    return Gateway(find_target(reach), reach.timeout)


def _decoded(response: httpx.Response, kind: type[T], url: str) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Failed(f"{url} does not answer as this version of semgate does: {error}") from error


def _problem(response: httpx.Response) -> _Problem:
    try:
        return msgspec.json.decode(response.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem()


def _refusal(response: httpx.Response, url: str) -> Refused:
    problem, status = _problem(response), response.status_code
    said = problem.detail or problem.title or response.reason_phrase or "no reason given"
    match status:
        case httpx.codes.UNAUTHORIZED:
            text = f"{url} does not take this admin token (--token, ${TOKEN_VARIABLE})"
        case httpx.codes.NOT_FOUND if not problem.detail:
            text = f"{url} has no admin API here: is it the gateway's admin address?"
        case httpx.codes.UNPROCESSABLE_ENTITY | httpx.codes.NOT_FOUND | httpx.codes.BAD_REQUEST:
            text = said
        case _:
            text = f"{url} answers {status}: {said}"
    return Refused(text, status, said)


def _reason(error: Exception) -> str:
    """The system's own words, without the number in front."""
    text = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).strip()
    return text[:1].lower() + text[1:] if text else type(error).__name__


def _given(parameters: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def _segment(text: str) -> str:
    """One segment of a path, whatever was typed: nothing in it may lead to another path."""
    from urllib.parse import quote

    quoted = quote(text, safe="")
    if quoted in ("", ".", ".."):
        raise Failed(f"there is no entry {text!r}")
    return quoted
