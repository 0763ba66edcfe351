"""What a program's own callables are given: `Request`."""

from __future__ import annotations

from gateway.fronts.request import Request

__all__ = ["Request"]
