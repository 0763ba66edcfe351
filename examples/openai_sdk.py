"""Asks the same thing twice, in other words, through semgate with the OpenAI SDK, and prints what the cache said.

    pip install openai
    OPENAI_API_KEY=... python examples/openai_sdk.py

The only change against a program without semgate is `base_url`.
"""

from __future__ import annotations

import os

import openai

client = openai.OpenAI(base_url=os.environ.get("SEMGATE_URL", "http://127.0.0.1:8080/v1"))

for question in ("How do I reset my password?", "What is the way to reset my password?"):
    # with_raw_response shows the headers; client.chat.completions.create(...) works all the same.
    response = client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini",
        messages=[
            {"role": "system", "content": "You are the help desk of a bank. Answer in one sentence."},
            {"role": "user", "content": question},
        ],
    )
    similarity = response.headers.get("x-cache-similarity", "-")
    print(f"{response.headers['x-cache']:4} similarity {similarity:6} {response.parse().choices[0].message.content}")
