"""The examples of apps and the first programs of their pages, run as a user would run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from sites import ASGI, ASKED, NEAR, ROOT, WSGI, Site, running

either = pytest.mark.parametrize("site", [ASGI, WSGI], ids=lambda site: Path(site.page).stem)


@either
def test_the_first_program_of_the_page_does_what_the_page_says(site: Site, folder: Path, tmp_path: Path) -> None:
    with running(site, site.programs()[0], tmp_path, folder) as client:
        assert client.post("/ask", json=ASKED).headers["x-cache"] == "MISS"
        near = client.post("/ask", json=NEAR)
        assert near.headers["x-cache"] == "HIT"
        assert near.json() == {"answer": "A model's words on: How do I reset my password?"}
        assert client.post("/ask", json=NEAR, headers={"cookie": "user=7"}).headers["x-cache"] == "MISS"


@either
def test_the_help_desk_shares_answers_within_a_team(site: Site, folder: Path, tmp_path: Path) -> None:
    def ask(client: httpx.Client, user: str, body: dict[str, Any]) -> httpx.Response:
        return client.post("/ask", json=body, headers={"authorization": f"Bearer {user}-key"})

    with running(site, (ROOT / site.example).read_text("utf-8"), tmp_path, folder) as client:
        assert ask(client, "alice", ASKED).headers["x-cache"] == "MISS"
        assert ask(client, "bob", NEAR).headers["x-cache"] == "HIT"
        assert ask(client, "carol", ASKED).headers["x-cache"] == "MISS"
        assert ask(client, "mallory", ASKED).status_code == 401
        streams = [ask(client, "alice", {**ASKED, "stream": True}) for _ in range(2)]
        assert [each.headers["x-cache"] for each in streams] == ["MISS", "HIT"]
        assert streams[0].content == streams[1].content
        assert streams[0].content.endswith(b"data: [DONE]\n\n")
