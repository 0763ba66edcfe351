"""A help desk that asks its model only what nobody has asked before, in these words or in others.

    pip install semgate openai
    OPENAI_API_KEY=... python examples/by_hand.py

The cache is in the program: semgate's own PostgreSQL and a small model that runs on one CPU, both fetched at the first start.
"""

from __future__ import annotations

import openai

from gateway import SyncSemanticCache

MODEL = "gpt-4o-mini"
ROLE = "You are the help desk of a bank. Answer in one sentence."

client = openai.OpenAI()
cache = SyncSemanticCache()


def answer(question: str, customer: str) -> str:
    # Another model or another role gives other answers: `context` must be equal. No customer sees another's answers.
    context = {"model": MODEL, "role": ROLE}
    for found in cache.search(question, scope=customer, context=context):
        return f"{found.answer}  (kept: similarity {found.similarity:.2f})"
    messages = [{"role": "system", "content": ROLE}, {"role": "user", "content": question}]
    completion = client.chat.completions.create(model=MODEL, messages=messages)
    text = completion.choices[0].message.content or ""
    if text and completion.choices[0].finish_reason == "stop":
        cache.set(question, text, scope=customer, context=context, ttl="7d", tags=["help desk"])
    return text


for asked in ("How do I reset my password?", "What is the way to reset my password?", "How do I close my account?"):
    print(answer(asked, "customer 4711"))
