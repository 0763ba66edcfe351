"""curl, and a reader of its output that knows no more than it has to: what a shell script would see."""

from __future__ import annotations

import json
import shutil
import subprocess

import api_openai
import pytest
from speak_openai import PRIVATE
from speaking import Heard, Question, Speaker, chat_said


def chat(url: str, key: str, question: Question) -> Heard:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    command = [curl, "--silent", "--show-error", "--include", "--no-buffer", "--fail-with-body", "--compressed"]
    command += ["--header", f"Authorization: Bearer {key}", "--header", "Content-Type: application/json"]
    command += ["--data-binary", json.dumps(question.as_chat()), f"{url}/v1/chat/completions"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout.decode())
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    fields = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
    headers = {name.lower(): value.strip() for name, _, value in fields}
    documents = [body]
    if question.stream:
        assert headers["content-type"].startswith("text/event-stream")
        *documents, end = [line.removeprefix(b"data: ") for line in body.split(b"\n\n") if line]
        assert end == b"[DONE]"
    return Heard(headers, [body], chat_said([json.loads(document) for document in documents]))


SPEAKERS = [Speaker("curl", api_openai.chat, chat, PRIVATE, choices=True)]
