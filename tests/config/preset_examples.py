"""Every preset's example. The bodies follow the documentation that each preset names; OpenAI's have a module of their own."""

from api_example import FUNCTION, Example, turns
from openai_examples import OPENAI

EXAMPLES = OPENAI | {
    "anthropic-messages": Example(
        request={
            "model": "claude-sonnet-4-20250514",
            "max_tokens": 1024,
            "system": "Be brief.",
            "messages": turns("Hi", "Hello!", [{"type": "text", "text": "What is the capital?"}]),
            "metadata": {"user_id": "13803d75"},
        },
        text="What is the capital?",
        model="claude-sonnet-4-20250514",
        equal=[{"metadata": {"user_id": "other"}}],
        apart=[{"max_tokens": 1}, {"system": "Be long."}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}],
        exact_only=[
            {"tools": [{"name": "pay", "input_schema": {"type": "object"}}]},
            {"messages": turns("Hi", "The answer is (", last="assistant")},
            {"messages": turns([{"type": "tool_result", "tool_use_id": "t", "content": "42"}])},
            {"messages": turns([{"type": "image", "source": {}}, {"type": "text", "text": "What is it?"}])},
        ],
        bypassed=[
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]},
            {"container": "container_1"},
        ],
        headers_apart=["anthropic-version", "anthropic-beta"],
        answer={
            "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-20250514",
            "content": [{"type": "text", "text": "Paris."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 2095, "output_tokens": 503},
        },
        kept=[{"stop_reason": "stop_sequence", "stop_sequence": "\n"}, {"stop_reason": "tool_use"}],
        rejected=[
            *(
                {"stop_reason": why}
                for why in ("max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", None)
            ),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            {"content": []},
        ],
    ),
    "ollama-chat": Example(
        request={"model": "llama3.2", "messages": turns("why is the sky blue?"), "stream": False, "keep_alive": "5m"},
        text="why is the sky blue?",
        model="llama3.2",
        equal=[{"keep_alive": 0}],
        apart=[
            {"options": {"seed": 1}},
            {"format": "json"},
            {"messages": [{"role": "user", "content": "why is the sky blue?", "images": ["aGk="]}]},
        ],
        exact_only=[
            {"messages": turns("a", "b", last="assistant")},
            {"messages": turns("42", last="tool")},
            {"tools": [FUNCTION]},
        ],
        answer={
            "model": "llama3.2",
            "created_at": "2023-12-12T14:13:43.416799Z",
            "message": {"role": "assistant", "content": "Rayleigh scattering."},
            "done": True,
            "done_reason": "stop",
            "total_duration": 5191566416,
            "eval_count": 298,
        },
        kept=[{"done_reason": None}],
        rejected=[{"done_reason": "length"}, {"done_reason": "load"}, {"done": False}, {"error": "model not found"}],
    ),
    "ollama-generate": Example(
        request={"model": "llama3.2", "prompt": "why is the sky blue?", "system": "Be brief.", "stream": False},
        text="why is the sky blue?",
        model="llama3.2",
        equal=[{"keep_alive": "10m"}],
        apart=[{"system": "Be long."}, {"context": [1, 2, 3]}, {"raw": True}, {"images": ["aGk="]}],
        answer={
            "model": "llama3.2",
            "created_at": "2023-08-04T19:22:45.499127Z",
            "response": "The sky is blue because of Rayleigh scattering.",
            "done": True,
            "done_reason": "stop",
            "context": [1, 2, 3],
            "eval_count": 290,
        },
        rejected=[{"done_reason": "length"}, {"done_reason": "unload"}, {"done": False}, {"error": "x"}],
    ),
    "cohere-chat": Example(
        request={
            "model": "command-a-03-2025",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is the capital?"},
            ],
            "stream": False,
            "priority": 0,
        },
        text="What is the capital?",
        model="command-a-03-2025",
        equal=[{"priority": 5}],
        apart=[{"documents": ["Paris is a city."]}, {"safety_mode": "STRICT"}, {"temperature": 0.1}],
        exact_only=[{"messages": turns("42", last="tool")}, {"tools": [FUNCTION]}],
        answer={
            "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris."}]},
            "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 4}},
        },
        kept=[{"finish_reason": "STOP_SEQUENCE"}],
        rejected=[*({"finish_reason": why} for why in ("MAX_TOKENS", "ERROR", "TIMEOUT", "ERROR_TOXIC"))],
    ),
    "gemini-generate": Example(
        request={
            "contents": [{"role": "user", "parts": [{"text": "What is the capital?"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "generationConfig": {"temperature": 0},
        },
        text="What is the capital?",
        model="gemini-2.5-flash",
        path_params={"model": "gemini-2.5-flash"},
        apart=[{"generationConfig": {"temperature": 1}}, {"systemInstruction": {"parts": [{"text": "Be long."}]}}],
        exact_only=[
            {"tools": [{"functionDeclarations": [{"name": "pay"}]}]},
            {"contents": [{"role": "model", "parts": [{"text": "Paris"}]}]},
            {
                "contents": [
                    {"parts": [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}
                ]
            },
        ],
        bypassed=[{"tools": [{"googleSearch": {}}]}],
        headers_apart=["x-goog-user-project"],
        answer={
            "candidates": [
                {"content": {"parts": [{"text": "Paris."}], "role": "model"}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 3, "totalTokenCount": 11},
            "modelVersion": "gemini-2.5-flash",
            "responseId": "r1",
        },
        rejected=[
            *(
                {"candidates": [{"content": {"parts": [{"text": "Par"}]}, "finishReason": why}]}
                for why in ("MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
            ),
            {"candidates": [{"content": {"parts": [{"text": "Par"}]}}]},
            {"candidates": []},
            {"promptFeedback": {"blockReason": "SAFETY"}},
            {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}},
        ],
    ),
    "json-query": Example(
        request={"query": "How do I reset my password?", "language": "en"},
        text="How do I reset my password?",
        apart=[{"language": "de"}, {"top_k": 3}],
        exact_only=[{"query": {"must": "x"}}],
        answer={"answer": "Open Settings."},
        kept=[{"errors": []}, {"error": None}],
        rejected=[{"error": "x"}, {"errors": [{"message": "x"}]}],
    ),
}
