"""What importing a package brings along: no higher layer, no heavy package."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import faast

ROOT = Path(__file__).parents[1]
HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "matplotlib",
    "ray",
    "rich",
    "typer",
    "PIL",
}
ALLOWED = {"lm": HEAVY, "hub": HEAVY}
"""Packages that are nothing without theirs: language models, the hub."""

ALONE = """
import sys, types
parent = types.ModuleType("faast")  # without what faast/__init__.py imports
parent.__path__ = [{folder!r}]
sys.modules["faast"] = parent
from faast._version import __version__
parent.__version__ = __version__
import faast.{package}
print(*sys.modules)
"""


def layers():
    """Return the layers of pyproject.toml from the top, each a list of packages."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one["id"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


PACKAGES = [
    package for layer in layers() for package in layer if package not in ("__main__", "cli")
]
"""All but the top layer, which may import everything."""


def modules_after(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    missing = re.search(r"pip install .faast|No module named '(?!faast)", done.stderr)
    if missing:
        pytest.skip(f"needs an extra: {done.stderr.splitlines()[-1]}")
    assert not done.returncode, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_loads_no_higher_layer_and_nothing_heavy(package):
    folder = str(Path(faast.__file__).parent)
    loaded = modules_after(ALONE.format(folder=folder, package=package))
    own = next(number for number, layer in enumerate(layers()) if package in layer)
    below = {name for layer in layers()[own + 1 :] for name in layer}
    ours = {name.split(".")[1] for name in loaded if name.startswith("faast.")}
    assert ours <= below | {package, "_version"}
    assert loaded & HEAVY <= ALLOWED.get(package, set())


def test_importing_the_library_loads_no_heavy_package():
    assert modules_after("import faast, sys; print(*sys.modules)") & HEAVY == set()


def test_the_command_line_loads_no_model_library():
    loaded = modules_after("import faast.cli.main, sys; print(*sys.modules)")
    assert loaded & HEAVY <= {"rich", "typer"}
