"""The dashboard's own files: style, scripts and the libraries that come with it, read once and served from memory.

Pages name each with the digest of its content, so a browser may keep it for good and never shows an old one.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    "": "text/plain",
}


class File(msgspec.Struct, frozen=True):
    content: bytes
    media_type: str
    version: str


def read_files(folder: Path) -> dict[str, File]:
    """By their path below the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found[path.relative_to(folder).as_posix()] = File(
                content, TYPES[path.suffix], sha256(content).hexdigest()[:12]
            )
    return found


FILES = read_files(FOLDER)


def static_url(name: str) -> str:
    """For templates. Raises KeyError if there is no such file."""
    return f"/-/ui/static/{name}?v={FILES[name].version}"


@get("/static/{name:path}", opt={"open": True}, sync_to_thread=False)
def static_file(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Open: the sign-in page needs them, and they tell nothing."""
    file = FILES.get(str(request.path_params["name"]).lstrip("/"))
    if file is None:
        raise NotFoundException(detail="there is no such file")
    lasting = request.query_params.get("v") == file.version
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if lasting else "no-cache",
        "etag": f'"{file.version}"',
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(b"", status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
