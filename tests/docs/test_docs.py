"""What README and docs show is so: code runs, commands exist, figures were measured."""

import contextlib
import importlib
import io
import re
import shlex
from pathlib import Path

import pytest
import typer

from benchmarks import pages
from faast.cli.serve._group import DEFAULT, DefaultGroup

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)
NEEDS = re.compile(r"^<!-- needs: (.*) -->", re.MULTILINE)
"""The packages without which a page's code cannot run; the light install skips it."""


def named(page):
    return str(page.relative_to(ROOT))


def texts():
    for page in [*DOCS, ROOT / "CONTRIBUTING.md"]:
        yield page, page.read_text()


# -- code ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", [page for page in DOCS if "```python" in page.read_text()], ids=named
)
def test_code_blocks_run_and_print_what_is_shown(page, tmp_path, monkeypatch):
    text = page.read_text()
    for package in ", ".join(NEEDS.findall(text)).split(", "):
        if package:
            pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for code, shown in BLOCK.findall(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, named(page), "exec"), names)
        if shown:
            assert printed.getvalue() == shown


# -- commands ------------------------------------------------------------------------------------


def console_lines():
    for page, text in texts():
        for line in re.findall(r"^\$ (.+?)(?:\s+#.*)?$", text, flags=re.MULTILINE):
            yield page, line


def test_make_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    shown = [line.split()[1] for _, line in console_lines() if line.startswith("make ")]
    assert set(shown) <= set(targets)
    assert {"demo", "test"} <= set(shown)


def faast_lines():
    for page, line in console_lines():
        for part in line.split(" | "):
            if part.startswith("faast "):
                yield pytest.param(part, id=f"{named(page)}: {part}")


@pytest.mark.parametrize("line", list(faast_lines()))
def test_commands_and_options_exist(line):
    command = typer.main.get_command(importlib.import_module("faast.cli.main").app)
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        if isinstance(command, DefaultGroup) and words[0] not in command.commands:
            words.insert(0, DEFAULT)
        assert words[0] in command.commands
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    used = [word for word in words if re.match(r"--?[a-z]", word)]
    assert set(used) <= known


# -- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages.PAGES, ids=named)
def test_tables_are_what_was_measured(page):
    text = page.read_text()
    assert pages.MARKS.search(text)
    assert pages.filled(text) == text


def sections():
    for page, text in texts():
        if page.name in ("claims.md", "architecture.md"):
            continue  # test_claims.py checks the first; the second tells why, from older runs
        for section in re.split(r"^#+ ", pages.MARKS.sub("", text), flags=re.MULTILINE):
            links = re.findall(r"\]\(([./]*results/[^)]+\.md)\)", section)
            if links:
                title = section.partition("\n")[0]
                yield pytest.param(page, section, links, id=f"{named(page)}: {title}")


@pytest.mark.parametrize(("page", "section", "links"), list(sections()))
def test_figures_stand_on_the_pages_that_a_section_links_to(page, section, links):
    measured = "\n".join((page.parent / link).read_text() for link in links)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", section)
    for figure in re.findall(r"(?<![\w.])\d+(?:,\d{3})*\.\d+(?![\d.]|\s+million)", prose):
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![.,]?\d)", measured), figure


# -- links and names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    [*DOCS, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "results").rglob("*.md"))],
    ids=named,
)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_architecture_names_files_that_exist():
    named = re.findall(r"`([\w/]+/\w*(?:\.py)?)`", (ROOT / "docs" / "architecture.md").read_text())
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / "src" / "faast" / path).exists()]


@pytest.mark.parametrize(
    "package",
    ["", "solvers", "estimators", "encoders", "data", "lm", "distributed", "evaluation.baselines"],
)
def test_every_exported_name_is_documented(package):
    if package == "lm":
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    module = importlib.import_module(f"faast.{package}".rstrip("."))
    page = "*" if not package else package.partition(".")[0]
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "api").glob(f"{page}.md"))
    exported = getattr(module, "__all__", None) or re.findall(
        r" as (\w+)", Path(module.__file__).read_text()
    )
    assert exported
    whole = f"::: {module.__name__}\n" in text
    for name in exported:
        if name.startswith("__"):
            continue
        assert whole or re.search(rf"^::: faast[\w.]*\.{name}$", text, re.MULTILINE), name
