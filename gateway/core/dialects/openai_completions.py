"""OpenAI's legacy Completions: a text, and a stream of its pieces, alike but for their size.

Source: https://platform.openai.com/docs/api-reference/completions/object. Chunks and answers are the same object. Log
probabilities are parallel lists (tokens, token_logprobs, top_logprobs, text_offset) that go on from chunk to chunk.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.dialects.openai_chunks import ChunkStream, Share, steps


class OpenAICompletions(ChunkStream):
    name = "openai-completions"
    single_object = "text_completion"
    chunk_object = "text_completion"
    part = "text"
    empty_part: object = ""
    whole = "text"

    def join(self, parts: list[object], doubts: list[str]) -> object:
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) < len(parts):
            doubts.append(self.part)
        return "".join(texts)

    def settle(self, whole: object) -> object:
        return whole

    def take_apart(self, whole: object, logprobs: object) -> Iterator[Share]:
        if not isinstance(whole, str):
            return
        if not whole:
            yield "", logprobs
        tokens = logprobs.get("tokens") if isinstance(logprobs, dict) else None
        yield from steps(whole, logprobs, tokens if isinstance(tokens, list) else [])
