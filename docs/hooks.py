"""Show the pages of results/ as a part of the site; links to them stay valid in the repository."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
SHOWN = (".md", ".png")
LINK = re.compile(r"(\]\((?:\.\./)*)\.\./results/")
BACK = re.compile(r"\]\(\.\./docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what results/ shows, quick runs left out."""
    for path in sorted((ROOT / "results").rglob("*")):
        shown = path.relative_to(ROOT)
        if path.suffix in SHOWN and "quick" not in shown.parts:
            files.append(File.generated(config, shown.as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links out of docs/ to results/, and back, into links within the site."""
    if page.file.src_uri.startswith("results/"):
        return BACK.sub("](../", markdown)
    return LINK.sub(r"\1results/", markdown)
