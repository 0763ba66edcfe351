"""What is said around a question inside its sentence: "I am not sure why ...", "I want to ..., how do I do that?".

Pure, and in canonical words. A frame asks for an answer and is no part of what is asked: what it denies ("I don't know how")
is what the speaker knows. So it is read by what it is made of: a few words around one of knowing or telling, and nothing else,
before a question word.
"""

from __future__ import annotations

from itertools import pairwise

from gateway.core.lexicon import ASKING, CONTENT, LIGHT, MODAL, PERSON
from gateway.core.lexicon_asking import (
    ABOUT,
    ADDRESSED,
    CLEAR,
    COURTESY,
    FRAME,
    HELP,
    HELPING,
    HOW_TAILS,
    HOW_TO_GET,
    HOW_VAGUE,
    JOINING,
    KNOWN,
    LOOKING,
    MIND,
    NEGATED,
    NOT_KNOWN,
    OPENING,
    QUESTION,
    REQUEST,
    SUBJECT,
    SUBJECTS,
    TOLD,
    WANTS,
    WHERE_TO_GET,
    WHY_TAILS,
    WISH,
    WISHES,
    WONDERING,
)
from gateway.core.lexicon_same import SAME
from gateway.core.pairs_words import END

_LONGEST = 16
"""Words of a frame."""
_NO_WISH = (WISH | TOLD | {"ask", "check"}) - {"tell"}
_ASKED = (KNOWN | TOLD | HELP | WONDERING) - {"look", "obtain"}
_SOUGHT = KNOWN | HELP | ABOUT
FRAMING = KNOWN | TOLD | HELP | ABOUT | WONDERING | CLEAR
"""No frame is without one of these."""
_GET = SAME.get("get", "get")
_KINDS = {"can": MODAL, "i": PERSON, _GET: LIGHT}
_ME, _TELL = frozenset(("me", "us")), frozenset(("tell", "inform", "show", "know"))
_OBLIGED = frozenset(("must", "should"))
_HAS_TO = frozenset((verb, "to") for verb in ("has", "have", "require"))
_THIRD = frozenset(("he", "she", "it"))


_NUMBERS = {"one": "1"}


def _table(phrases: tuple[str, ...], at: int) -> dict[str, list[list[str]]]:
    table: dict[str, list[list[str]]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        words = [SAME.get(word, _NUMBERS.get(word, word)) for word in phrase.split()]
        table.setdefault(words[at], []).append(words)
    return table


_WISHES, _WANTS = _table(WISHES, 0), _table(WANTS, 0)
_SURE, _VAGUE, _WHY, _HOW, _WHERE = range(5)
"""What a tail asks: how it is done for sure, perhaps; why it is so; how and where the thing is to be had."""
_TAILS: dict[tuple[str, ...], list[tuple[list[str], int]]] = {}
for _way, _phrases in enumerate((HOW_TAILS, HOW_VAGUE, WHY_TAILS, HOW_TO_GET, WHERE_TO_GET)):
    for _rows in _table(_phrases, -1).values():
        for _row in _rows:
            _TAILS.setdefault(tuple(_row[-2:]), []).append((_row, _way))
_LAST = frozenset(last for *_, last in _TAILS)
_ASKED_FIRST = {_SURE: ["howto"], _VAGUE: ["howto"], _WHY: ["why"], _HOW: ["howto"], _WHERE: ["where", "can", "i"]}


def without_frames(
    words: list[str], kinds: list[str], pauses: list[int], *, only_first: bool
) -> tuple[list[str], list[str], list[int]]:
    """Args:
    only_first: leave out only what the text begins with.
    """
    if FRAMING.isdisjoint(words):
        return words, kinds, pauses
    questions = [at for at, word in enumerate(words) if at and word in QUESTION]
    gone = set() if _TELL.isdisjoint(words) else set(range(_request(words)))
    if not questions and not gone:
        return words, kinds, pauses
    floor = len(gone)
    for at in questions:
        start = _frame(words, floor, at) if at > floor else at if gone else -1
        if at >= floor and start >= 0 and (start == len(gone) or not only_first):
            gone.update(range(start, at))
            if _invert(words, kinds, at):
                gone.add(at)
        floor = max(floor, at + 1)
        if only_first:
            break
    if gone and any(kinds[at] is not ASKING for at in range(len(words)) if at not in gone):
        words, kinds, pauses = _without(words, kinds, pauses, gone)
    return words, kinds, pauses


def _request(words: list[str]) -> int:
    """How many words at the beginning ask somebody to tell: "I was wondering if somebody here could be so kind and tell me"."""
    if words[0] not in FRAME and words[0] != "if":
        return 0
    end = at = 0
    while at < min(len(words) - 1, _LONGEST) and (words[at] in FRAME or words[at] == "if"):
        at += 1
        told = at > 1 and words[at - 1] in _ME and words[at - 2] in _TELL
        if told or (at > 2 and words[at - 1] == "know" and words[at - 3] == "let"):
            end = at
    if not end:
        return 0
    among = frozenset(words[:end])
    asks = not ADDRESSED.isdisjoint(among) and not REQUEST.isdisjoint(among) and NEGATED.isdisjoint(among)
    return end if asks else 0


def _invert(words: list[str], kinds: list[str], question: int) -> bool:
    """Put the verb before its subject, as without a frame: "(tell me) where I can pay", "where can I pay".

    Returns whether the question word is one too many: "(tell me) if I can pay", "can I pay".
    """
    subject, verb = question + 1, question + 2
    if verb >= len(words) or words[subject] not in SUBJECTS:
        return False
    if words[verb] in HELPING and words[verb + 1 : verb + 2] != ["to"]:
        words[subject], words[verb] = words[verb], words[subject]
        kinds[subject], kinds[verb] = kinds[verb], kinds[subject]
        return words[question] == "if"
    if words[question] == "if":
        words[question], kinds[question] = "does" if words[subject] in _THIRD else "do", LIGHT
    return False


def _frame(words: list[str], floor: int, question: int) -> int:
    """Where the frame before a question word begins; -1 if there is none."""
    first = question
    while first > floor and question - first < _LONGEST and words[first - 1] in FRAME:
        first -= 1
    if first == question or FRAMING.isdisjoint(words[first:question]):
        return -1
    for start in range(first, question):
        word = words[start]
        begins = start == 0 or words[start - 1] == END or word in JOINING
        if (begins or word in OPENING) and _only_asks(words[start:question], words[question], begins=begins):
            return start
    return -1


def _only_asks(said: list[str], question: str, *, begins: bool) -> bool:
    """Whether words before a question word only say that an answer is wanted: by me, of you, or of nobody in particular."""
    among = frozenset(said)
    addressed = not ADDRESSED.isdisjoint(among)
    mine = not SUBJECT.isdisjoint(among)
    if not NEGATED.isdisjoint(among):
        if addressed or not among.isdisjoint(_NO_WISH) or ("tell" in among and "can" not in among):
            return False
        unknown = CLEAR if "it" in among else NOT_KNOWN
        return not among.isdisjoint(unknown) and (mine or begins or "it" in among)
    if addressed:
        if among.isdisjoint(REQUEST) and among.isdisjoint(WISH):
            return not among.isdisjoint(MIND) and not among.isdisjoint(("do", "does", "have"))
        return not among.isdisjoint(_ASKED)
    if not among.isdisjoint(WONDERING):
        return True
    if mine:
        return "show" not in among and not among.isdisjoint(WISH) and not among.isdisjoint(_SOUGHT)
    start = next((word for word in said if word not in COURTESY and word not in JOINING), "")
    return start in TOLD or start in LOOKING or start in HELP or (start in ABOUT and question == "how")


def asked_first(
    words: list[str], kinds: list[str], pauses: list[int], *, framed: bool
) -> tuple[list[str], list[str], list[int]]:
    """With the question word of a tail put before what it asks about: "it failed, why?", "I want to pay, how do I do that?".

    Args:
    framed: whether there may be words of FRAMING.
    """
    if framed and not _TELL.isdisjoint(words) and (request := _request(words)):
        words, kinds, pauses = _without(words, kinds, pauses, set(range(request)))
    ends = [len(words)]
    if END not in words:
        if words and words[-1] not in _LAST:
            return words, kinds, pauses
    else:
        ends += [at for at in range(len(words) - 1, 1, -1) if words[at] is END]
    for end in ends:
        if (
            not 1 < end <= len(words)
            or words[end - 1] not in _LAST
            or QUESTION.isdisjoint(words[max(0, end - 8) : end])
        ):
            continue
        for tail, way in (*_TAILS.get(tuple(words[end - 2 : end]), ()), *_TAILS.get((words[end - 1],), ())):
            if words[max(0, end - len(tail)) : end] == tail:
                words, kinds, pauses = _turned(words, kinds, pauses, end - len(tail), end, way)
                break
    return words, kinds, pauses


def _turned(
    words: list[str], kinds: list[str], pauses: list[int], end: int, after: int, way: int
) -> tuple[list[str], list[str], list[int]]:
    """`end` and `after`: where the tail begins and ends."""
    while end and (words[end - 1] == END or words[end - 1] in JOINING):
        end -= 1
    start = next((at + 1 for at in range(end - 1, -1, -1) if words[at] == END), 0)
    asked = QUESTION.intersection(words[start:end]) - {"if"}
    said_before = way == _WHY and "why" in asked
    if start == end or (asked and not said_before):
        return words, kinds, pauses
    said = words[start:end]
    first = [] if said_before else _ASKED_FIRST[way]
    begin = start
    if way != _WHY:
        begin += _length(_WISHES, said)
        if begin == start and way in (_HOW, _WHERE):
            begin += _length(_WANTS, said)
            if begin > start:
                first = [*first, _GET]
        if begin == start and way != _SURE and not _is_task(said, kinds[start]):
            return words, kinds, pauses
    kept = [*range(start), *range(begin, end), *range(after, len(words))]
    return (
        [*words[:start], *first, *words[begin:end], *words[after:]],
        [*kinds[:start], *(_KINDS.get(word, ASKING) for word in first), *kinds[begin:end], *kinds[after:]],
        [sum(at < pause for at in kept) + (pause > start) * len(first) for pause in pauses if pause < end],
    )


def _length(phrases: dict[str, list[list[str]]], said: list[str]) -> int:
    """Words of the phrase that something begins with, and is more than."""
    rows = phrases.get(said[0], ())
    return next((len(row) for row in rows if said[: len(row)] == row and len(row) < len(said)), 0)


def _is_task(words: list[str], kind: str) -> bool:
    """Whether "how" asks how it is done ("close an account, how?"), not how it came about ("he closed it, how?")."""
    if not _OBLIGED.isdisjoint(words) or any(pair in _HAS_TO for pair in pairwise(words)):
        return True
    return kind is CONTENT and HELPING.isdisjoint(words)


def _without(
    words: list[str], kinds: list[str], pauses: list[int], gone: set[int]
) -> tuple[list[str], list[str], list[int]]:
    kept = [at for at in range(len(words)) if at not in gone]
    places = [sum(at < pause for at in kept) for pause in pauses]
    return [words[at] for at in kept], [kinds[at] for at in kept], [place for place in places if place]
