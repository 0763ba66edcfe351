"""Asks the same thing twice, in other words, with the OpenAI SDK, and prints what the cache said. There is no gateway to run.

    pip install semgate openai
    OPENAI_API_KEY=... python examples/sdk_transport.py

The only change against a program without semgate is `http_client`. Answers are kept in ~/.local/share/semgate, so run it
twice: then the first question is a hit as well.
"""

from __future__ import annotations

import openai

from gateway import CacheTransport

http = openai.DefaultHttpxClient(transport=CacheTransport())

with openai.OpenAI(http_client=http) as client:
    for question in ("How do I reset my password?", "What is the way to reset my password?"):
        # A stream is read as it comes, from the cache as well.
        stream = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[
                {"role": "system", "content": "You are the help desk of a bank. Answer in one sentence."},
                {"role": "user", "content": question},
            ],
            stream=True,
        )
        said = stream.response.extensions["semgate"]
        similarity = "-" if said.similarity is None else f"{said.similarity:.4f}"
        print(f"{'HIT' if said.hit else 'MISS':4} similarity {similarity:6} ", end="")
        for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()
