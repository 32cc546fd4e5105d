"""What importing the package costs and brings along."""

import subprocess
import sys


def modules_after(statement):
    listing = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


def test_importing_the_library_loads_no_heavy_package():
    loaded = modules_after("import faast")
    heavy = {"torch", "transformers", "sentence_transformers", "matplotlib", "ray", "rich", "typer"}
    assert not loaded & heavy


def test_the_command_line_loads_no_torch():
    assert "torch" not in modules_after("import faast.cli.main")
