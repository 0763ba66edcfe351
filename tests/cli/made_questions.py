"""Questions with labels, as files: pairs and logs, and routes files to judge them by."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

PLAIN = """
version: 1
upstreams: {up: {url: "http://127.0.0.1:9", headers: {Authorization: "Bearer ${A_KEY_THAT_IS_NOT_SET}"}}}
routes:
  - {name: ask, path: /ask, upstream: up, preset: json-query, scope: public, thresholds: {hit: 0.9}}
  - {name: same, path: /same, upstream: up, match: exact, query: $.query, scope: public}
"""
VERIFIED = """
version: 1
upstreams: {up: {url: "http://127.0.0.1:9"}}
routes:
  - {name: ask, path: /ask, upstream: up, preset: json-query, scope: public,
      thresholds: {candidate: 0.8}, verify: {with: pairwise, at_least: 0.5}}
"""
USUAL = """
version: 1
upstreams: {up: {url: "http://127.0.0.1:9"}}
routes:
  - {name: ask, path: /ask, upstream: up, preset: json-query, scope: public}
"""
TWO = """
version: 1
upstreams: {up: {url: "http://127.0.0.1:9"}}
routes:
  - {name: loose, path: /loose, upstream: up, preset: json-query, scope: public, thresholds: {hit: 0.7}}
  - {name: strict, path: /strict, upstream: up, preset: json-query, scope: public, thresholds: {hit: 0.99}}
"""

PAIRS = [
    ("How do I enable two-factor login?", "How can I turn on two-factor login?", "1"),
    ("How do I enable two-factor login?", "How do I disable two-factor login?", "0"),
    ("What is the fee for 3 users?", "What is the fee for 5 users?", "0"),
    ("Where is my invoice?", "Where can I find my invoice?", "1"),
    ("Where is my invoice?", "Where is my invoice?", "1"),
    ('Say "yes",\nor no', "How do I cook rice?", "0"),
]
LOG = [
    ("How do I enable two-factor login?", "enable"),
    ("Where is my invoice?", "invoice"),
    ("How can I turn on two-factor login?", "enable"),
    ("Where is my invoice?", "invoice"),
    ("How do I disable two-factor login?", "disable"),
    ("Where can I find my invoice?", "invoice"),
    ("I cannot find the bill that you sent to me", "invoice"),
]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_pairs(path: Path, pairs: Iterable[Sequence[str]] = PAIRS) -> Path:
    return write_csv(path, ("text_a", "text_b", "label"), pairs)


def write_log(path: Path, log: Iterable[Sequence[str]] = LOG) -> Path:
    return write_csv(path, ("text", "cluster"), log)
