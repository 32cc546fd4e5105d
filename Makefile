PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench bench-quick clean

demo: .venv/light ## watch labelled rows being learned in one pass (light core only)
	$(BIN)/faast demo

test: .venv/full ## run every test
	$(BIN)/python -m pytest

check: .venv/full ## format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/full ## regenerate results/, all of it
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/few_shot.py
	$(BIN)/python benchmarks/full_data.py
	$(BIN)/python benchmarks/novelty.py
	$(BIN)/python benchmarks/efficiency.py
	$(BIN)/python benchmarks/continual.py
	$(BIN)/python benchmarks/sensitivity.py
	$(BIN)/python benchmarks/raw.py
	$(BIN)/python benchmarks/scale_out.py
	$(BIN)/python benchmarks/lm.py
	$(BIN)/python benchmarks/lm_tasks.py
	$(BIN)/python benchmarks/readme.py

bench-quick: .venv/full ## a rough answer in minutes: less of everything
	$(BIN)/python benchmarks/few_shot.py --quick
	$(BIN)/python benchmarks/efficiency.py --quick --methods k-nn ridge-cv
	$(BIN)/python benchmarks/continual.py --quick
	$(BIN)/python benchmarks/sensitivity.py --quick

clean:
	rm -rf .venv

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/full: .venv/light
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	touch $@
