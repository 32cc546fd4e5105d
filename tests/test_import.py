"""What importing a package brings along: no higher layer, no heavy package."""

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
ALLOWED = {"cli": {"rich", "typer"}, "lm": HEAVY, "hub": HEAVY}
"""Packages that need theirs: the command line, language models, the hub."""

ALONE = """
import sys, types
parent = types.ModuleType("faast")  # without what faast/__init__.py imports
parent.__path__ = [{folder!r}]
sys.modules["faast"] = parent
import faast.{package}
print(*sys.modules)
"""


def layers():
    """Return the layers of pyproject.toml from the top, each a list of packages."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one["id"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


PACKAGES = [package for layer in layers() for package in layer if package != "__main__"]


def modules_after(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    if "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr:
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
