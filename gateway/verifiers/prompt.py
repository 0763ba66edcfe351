"""What a judge is asked, and what its answer is taken for.

Pure. The instructions are a text that an operator can read and replace; the two questions never become part of them. They
are one line of JSON between two marks, and in JSON written here neither a line break nor `<` exists: no question can end
its quotes, close the marks, or stand where an instruction would.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec

from gateway.core.quoting import quoted_as

SHIPPED = Path(__file__).parent / "prompts" / "same-answer.txt"
OF_ANSWERS = SHIPPED.with_name("same-meaning.txt")
YES = 1.0
NO = 0.0
CLEAR_YES = re.compile(r"[\s\"'*_`]*yes[\s\"'*_`.!]*", re.IGNORECASE)
THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
"""What a model that thinks aloud says before its answer; without its end it is no answer."""


class _Questions(msgspec.Struct):
    before: str
    now: str


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] = []


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class Verdict(msgspec.Struct, frozen=True):
    """`score` 0 to 1; the tokens as the server counts them, None where it does not."""

    score: float
    tokens: tuple[int, int] | None


def shipped_prompt() -> str:
    """The instructions that come with semgate. Reads a file."""
    return SHIPPED.read_text(encoding="utf-8")


def answers_prompt() -> str:
    """Those for comparing answers instead of questions. Reads a file."""
    return OF_ANSWERS.read_text(encoding="utf-8")


def quoted(before: str, now: str) -> str:
    """The user message of a pair. Raises UnicodeEncodeError for text that is not Unicode (lone surrogates)."""
    return quoted_as("questions", _Questions(before, now))


def read_verdict(body: bytes) -> Verdict:
    """What a chat completion says. Only a yes and nothing else is a yes: no, nothing, prose, a refusal, an answer that was
    cut off or thinking that did not end are all 0. With the tokens' log-probabilities a yes counts as much as the model
    itself gave it. Raises msgspec.DecodeError where the body is no chat completion."""
    completion = msgspec.json.decode(body, type=_Completion)
    usage = completion.usage
    tokens = None if usage is None else (max(0, usage.prompt_tokens), max(0, usage.completion_tokens))
    return Verdict(_score(completion.choices), tokens)


def _score(choices: list[_Choice]) -> float:
    if len(choices) != 1:
        return NO
    choice = choices[0]
    if choice.message.refusal or choice.finish_reason not in {None, "stop"}:
        return NO
    said = choice.message.content or ""
    thought = THOUGHT.match(said)
    if not CLEAR_YES.fullmatch(said, thought.end() if thought else 0):
        return NO
    return YES if choice.logprobs is None else _surely(choice.logprobs.content or [])


def _surely(tokens: list[_Token]) -> float:
    """The probability of all ways to write yes, at the last place where the model wrote one; 1 where none is told."""
    for token in reversed(tokens):
        if CLEAR_YES.fullmatch(token.token):
            ways = {each.token: each.logprob for each in token.top_logprobs if CLEAR_YES.fullmatch(each.token)}
            ways[token.token] = token.logprob
            return min(YES, sum(math.exp(min(0.0, logprob)) for logprob in ways.values()))
    return YES
