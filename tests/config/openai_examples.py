"""OpenAI's APIs by the names of their presets. The bodies follow the documentation that each preset names."""

from api_example import FUNCTION, Example, Json, turns

CHAT_ANSWER: Json = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Paris.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}


def choice(**changes: object) -> Json:
    return {"choices": [{**CHAT_ANSWER["choices"][0], **changes}]}  # type: ignore[index]


OPENAI = {
    "openai-chat": Example(
        request={
            "model": "gpt-4.1",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "What is the"}, {"type": "text", "text": "capital?"}],
                },
            ],
            "temperature": 0.2,
            "user": "u-1",
            "stream": False,
        },
        text="What is the\ncapital?",
        model="gpt-4.1",
        equal=[{"user": "u-2"}, {"metadata": {"ticket": "7"}}, {"prompt_cache_key": "k"}, {"safety_identifier": "s"}],
        apart=[
            {"temperature": 0.3},
            {"store": True},
            {"seed": 1},
            {"response_format": {"type": "json_object"}},
            {"n": 2},
        ],
        exact_only=[
            {"messages": turns("a", "b", "c", last="assistant")},
            {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "42"}]},
            {"tools": [FUNCTION]},
            {"functions": [FUNCTION["function"]]},
            {
                "messages": turns(
                    [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
                )
            },
        ],
        bypassed=[{"web_search_options": {}}],
        headers_apart=["OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta"],
        answer=CHAT_ANSWER,
        kept=[choice(finish_reason="tool_calls"), {"error": None}],
        rejected=[
            choice(finish_reason="length"),
            choice(finish_reason="content_filter"),
            choice(finish_reason="model_length"),
            choice(finish_reason="error"),
            {"error": {"message": "overloaded"}},
            {"choices": []},
        ],
    ),
    "openai-responses": Example(
        request={
            "model": "gpt-4.1",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "What is the capital?"}]}],
            "background": False,
        },
        text="What is the capital?",
        model="gpt-4.1",
        equal=[{"metadata": {"a": "b"}}, {"user": "u"}, {"safety_identifier": "s"}],
        apart=[{"instructions": "Be long."}, {"store": False}, {"reasoning": {"effort": "high"}}],
        exact_only=[
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "42"}]},
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            {"input": [{"role": "assistant", "content": "Paris"}]},
            {"tools": [{"type": "function", "name": "pay"}]},
        ],
        bypassed=[
            {"previous_response_id": "resp_1"},
            {"conversation": "conv_1"},
            {"background": True},
            {"tools": [{"type": "web_search"}]},
        ],
        headers_apart=["OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta"],
        answer={
            "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
            "object": "response",
            "created_at": 1741476542,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": "gpt-4.1-2025-04-14",
            "output": [
                {
                    "type": "message",
                    "id": "msg_1",
                    "status": "completed",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
                }
            ],
            "usage": {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
        },
        rejected=[
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            {"incomplete_details": {"reason": "content_filter"}},
            {"status": "failed", "error": {"code": "server_error", "message": "x"}},
            {"status": "in_progress"},
            {"status": "queued", "output": []},
        ],
    ),
    "openai-completions": Example(
        request={"model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 7, "temperature": 0},
        text="Say this is a test",
        model="gpt-3.5-turbo-instruct",
        equal=[{"user": "u"}],
        apart=[{"max_tokens": 8}, {"suffix": "!"}, {"echo": True}],
        exact_only=[
            {
                "prompt": [
                    15496,
                ]
            }
        ],
        bypassed=[{"prompt": ["a", "b"]}, {"prompt": [[1, 2], [3]]}],
        headers_apart=["OpenAI-Organization"],
        answer={
            "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
            "object": "text_completion",
            "created": 1589478378,
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"text": "This is indeed a test", "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
        },
        rejected=[
            {"choices": [{"text": "This is", "index": 0, "finish_reason": "length"}]},
            {"error": {"message": "x"}},
        ],
    ),
    "openai-embeddings": Example(
        request={"model": "text-embedding-3-small", "input": "The food was delicious", "encoding_format": "float"},
        text="The food was delicious",
        model="text-embedding-3-small",
        equal=[{"user": "u"}],
        apart=[
            {"dimensions": 256},
            {"encoding_format": "base64"},
            {"input": ["The food was delicious"]},
            {"input": [[1, 2]]},
        ],
        exact_only=[{}, {"input": ["a", "b"]}],
        headers_apart=["OpenAI-Project"],
        answer={
            "object": "list",
            "data": [{"object": "embedding", "embedding": [0.0023064255, -0.009327292], "index": 0}],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        },
        rejected=[{"data": []}, {"error": {"message": "x"}}],
    ),
}
