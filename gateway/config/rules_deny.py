"""Rules for denied questions: is one named, can it be compared, has each setting an effect, and does one stand twice?"""

from __future__ import annotations

from gateway.config.deny_files import ReadDeny, questions_of
from gateway.config.findings import Findings
from gateway.config.model import File, Route
from gateway.config.model_deny import Deny
from gateway.config.preset import verify_of
from gateway.config.problem import Place
from gateway.core.denial import LONGEST_QUESTION, normalised


def check_deny(found: Findings, file: File) -> None:
    _check_list(found, ("deny",), file.deny, file.routes, (("routes",),))
    for number, route in enumerate(file.routes):
        place: Place = ("routes", number)
        judged = ((*place, "match"), (*place, "preset"), (*place, "verify"), (*place, "thresholds"))
        _check_list(found, (*place, "deny"), route.deny, (route,), judged)


def _check_list(
    found: Findings, place: Place, entries: tuple[Deny, ...], routes: tuple[Route, ...], judged: tuple[Place, ...]
) -> None:
    """The entries of one list, which holds on these routes."""
    seen: dict[str, Place] = {}
    for index, deny in enumerate(entries):
        at: Place = (*place, index)
        _check_entry(found, at, deny)
        _check_twice(found, at, deny, seen)
        _check_comparison(found, at, deny, routes, judged)


def _check_entry(found: Findings, place: Place, deny: Deny) -> None:
    text, file, answer = (*place, "text"), (*place, "file"), (*place, "answer")
    if deny.text is None and deny.file is None:
        found.error(place, "an entry of `deny` has neither `text` nor `file`", "write one of the two", (text, file))
    if deny.text is not None and deny.file is not None:
        found.error(file, "`file` has no effect beside `text`", "write an entry for each", (text,))
    if deny.text is not None:
        if not deny.text.strip():
            found.error(text, "`text` is blank", "write the question")
        elif len(deny.text) > LONGEST_QUESTION:
            found.error(text, f"`text` is longer than {LONGEST_QUESTION:,} characters")
    if isinstance(deny, ReadDeny) and not deny.questions:
        found.warning(file, f"{found.shown(file, deny.file or '')} has no questions: nothing is denied by it")
    if deny.answer is not None:
        if deny.then != "refuse":
            text_ = "`answer` has no effect where a question is forwarded"
            found.error(answer, text_, "write `then: refuse` as well, or leave it out", ((*place, "then"),))
        if not deny.answer.strip() or len(deny.answer) > LONGEST_QUESTION:
            found.error(answer, f"`answer` is a text of up to {LONGEST_QUESTION:,} characters, not a blank one")
    if deny.at_least == 0:
        found.error((*place, "at_least"), "`at_least: 0` would deny every question", "`mode: off` forwards all of them")


def _check_twice(found: Findings, place: Place, deny: Deny, seen: dict[str, Place]) -> None:
    """Where the same words stand again, the first one counts."""
    at: Place = (*place, "text" if deny.text is not None else "file")
    again = 0
    for question in questions_of(deny):
        words = normalised(question)
        first = seen.setdefault(words, place)
        if first != place:
            again += 1
            other = found.where(first, at)
    if again:
        what = "this question is" if deny.text is not None else f"{again:,} of its questions are"
        found.warning(at, f"{what} denied on {other} already, and that counts", "keep one of the two")


def _check_comparison(
    found: Findings, place: Place, deny: Deny, routes: tuple[Route, ...], judged: tuple[Place, ...]
) -> None:
    """Settings of similarity and of second opinions, where no route measures the one or asks for the other."""
    at_least, verify = (*place, "at_least"), (*place, "verify")
    for at in (at_least, verify):
        if found.is_written(at) and all(route.match == "exact" for route in routes):
            text = f"`{at[-1]}` has no effect with `match: exact`, where only the same words count"
            found.error(at, text, "leave it out: the same words are denied without it", judged)
            return
    if not found.is_written(verify):
        return
    if deny.at_least == 1:
        text = "`verify` has no effect with `at_least: 1`: the same words need no opinion"
        found.error(verify, text, "leave it out", (at_least,))
    elif all(verify_of(route) is None for route in routes):
        text = "`verify` has no effect here: no second opinion is asked anyway"
        found.error(verify, text, "leave it out, or write the route's `verify`", judged)
