"""What is refused before the cache is asked is counted and logged as well: by status, without what was asked."""

from __future__ import annotations

import json
from pathlib import Path

from running import serve, until

ROUTES = """
server: {{listen: LISTEN, data_dir: "{data}", access_log: true, max_request_body: 1KiB}}
clients: [{{name: web, key: a-client-key, routes: [ask]}}]
upstreams: {{fixed: {{respond: {{body: "{{}}"}}}}}}
routes:
  - {{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: client}}
  - {{name: other, path: /other, upstream: fixed, preset: json-query, scope: client}}
"""


def test_every_refused_request_is_counted_and_logged(data_dir: Path, tmp_path: Path) -> None:
    key = {"x-api-key": "a-client-key"}
    with serve(tmp_path, ROUTES.format(data=data_dir)) as gateway:
        question = {"query": "SECRET-QUESTION"}
        assert gateway.ask("/ask", question).status_code == 401
        assert gateway.ask("/other", question, key).status_code == 403
        assert gateway.ask("/ask", {"query": "x" * 2000}, key).status_code == 413
        assert gateway.http.put("/ask", json=question, headers=key).status_code == 405
        assert gateway.ask("/ask", question, key).status_code == 200
        assert gateway.metric("semgate_requests_total", route="ask", outcome="refused") == 3
        assert gateway.metric("semgate_requests_total", route="other", outcome="refused") == 1
        until(lambda: gateway.logged().count('"event":"request"') == 5, "not all are logged")
        lines = [json.loads(line) for line in gateway.logged().splitlines() if '"event":"request"' in line]
        assert [line["status"] for line in lines] == [401, 403, 413, 405, 200]
        assert [line.get("client") for line in lines] == [None, "web", "web", None, "web"]
        assert "SECRET-QUESTION" not in gateway.logged()
