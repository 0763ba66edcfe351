"""One API that a preset is for: a request as it sends one, what is read from it, and answers as it gives them."""

import msgspec

Json = dict[str, object]


class Example(msgspec.Struct):
    """One API: a request, what is read from it, and answers. Changes are members that replace the request's or answer's."""

    request: Json
    text: str
    answer: Json
    model: str | None = None
    path_params: dict[str, str] = {}
    equal: list[Json] = []  # changes that must not matter
    apart: list[Json] = []  # changes that must
    exact_only: list[Json] = []
    bypassed: list[Json] = []
    headers_apart: list[str] = []
    kept: list[Json] = []
    rejected: list[Json] = []


def turns(*texts: object, last: str = "user") -> list[Json]:
    roles = ["user", "assistant"] * len(texts)
    messages: list[Json] = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    messages[-1]["role"] = last
    return messages


FUNCTION = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}
