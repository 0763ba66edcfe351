"""Brings the dashboard's libraries from npm to the versions that vendor.json names; `--check` only compares the files' SHA-256.

To take a newer version: change `version` in gateway/fronts/admin/ui/static/vendor/vendor.json, run this (it needs npm),
look at the dashboard's tests, and put the versions into NOTICE.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "gateway" / "fronts" / "admin" / "ui" / "static" / "vendor"
LIST = FOLDER / "vendor.json"


def main() -> int:
    libraries = json.loads(LIST.read_text("utf-8"))
    if "--check" not in sys.argv[1:]:
        for library in libraries:
            fetch(library)
        LIST.write_text(json.dumps(libraries, indent=2) + "\n", "utf-8")
        return 0
    changed = [
        name
        for library in libraries
        for name, file in library["files"].items()
        if hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() != file["sha256"]
    ]
    print(
        "the dashboard's libraries are", f"not what vendor.json says: {changed}" if changed else "as vendor.json says"
    )
    return 1 if changed else 0


def fetch(library: dict[str, object]) -> None:
    """Download the package and copy the files that are listed; their new digests go into the list."""
    files = library["files"]
    assert isinstance(files, dict)
    with tempfile.TemporaryDirectory() as folder:
        package = f"{library['package']}@{library['version']}"
        subprocess.run(["npm", "pack", package, "--pack-destination", folder], check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            for name, file in files.items():
                member = archive.extractfile(f"package/{file['from']}")
                assert member is not None
                data = member.read()
                (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
                (FOLDER / name).write_bytes(data)
                file["sha256"] = hashlib.sha256(data).hexdigest()
    print(package)


if __name__ == "__main__":
    sys.exit(main())
