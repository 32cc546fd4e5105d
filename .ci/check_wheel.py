"""Check the built wheel: its files, its requirements, and that it runs without extras.

Usage: ``python .ci/check_wheel.py dist``. The wheel is installed into a fresh environment with the
versions of constraints.txt; there the demo runs, and importing the library loads no extra.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIGHT = {"numpy", "scipy", "scikit-learn", "safetensors", "threadpoolctl", "typer", "rich"}
HEAVY = ("torch", "transformers", "ray", "pyarrow", "datasets", "matplotlib", "PIL")


def check_contents(wheel: Path) -> None:
    """Compare the wheel's files with those of the source, and its plain requirements with LIGHT."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    package = {name for name in names if not name.startswith(info)}
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }
    assert package == source, f"only in one of wheel and source: {sorted(package ^ source)}"
    assert "faast/py.typed" in package
    assert f"{info}/licenses/LICENSE" in names, "the licence is missing"
    assert "faast = faast.cli.main:main" in entry_points
    required = metadata.get_all("Requires-Dist", [])
    plain = {entry.split(">")[0].strip() for entry in required if "extra ==" not in entry}
    assert plain == LIGHT, f"required without extras: {sorted(plain)}"


def check_install(wheel: Path) -> None:
    """Install the wheel into a fresh environment and use it there, away from the repository."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"

        def run(*arguments: str) -> str:
            return subprocess.run(
                [str(python), *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
            ).stdout

        constraints = str(ROOT / "constraints.txt")
        run("-m", "pip", "install", "--quiet", "--constraint", constraints, str(wheel.resolve()))
        loaded = (
            f"import faast, sys; print([m for m in {HEAVY} if m in sys.modules], faast.__file__)"
        )
        told = run("-W", "error", "-c", loaded)
        assert told.startswith(f"[] {folder}"), told
        demo = run("-W", "error", "-m", "faast", "demo")
        assert "accuracy" in demo, demo
        print(demo)


def main() -> None:
    """Check the only wheel in the folder that is named."""
    (wheel,) = Path(sys.argv[1]).glob("*.whl")
    check_contents(wheel)
    check_install(wheel)
    print(f"{wheel.name}: contents, requirements and a light install are as they should be")


if __name__ == "__main__":
    main()
