"""The page: files that a browser runs as they are, each at an address of its own."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
"""Said outright: what a machine thinks of a suffix differs, and browsers refuse other scripts."""

PAGE_FILES = {
    "/" if path.name == "index.html" else f"/{path.relative_to(FOLDER).as_posix()}": path
    for path in sorted(FOLDER.rglob("*"))
    if path.suffix in MEDIA_TYPES
}
"""File by address: no request is ever made a path. They hold nothing that somebody taught."""
