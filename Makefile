PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench bench-long bench-quick clean

demo: .venv/light ## watch labelled rows being learned in one pass (light core only)
	$(BIN)/faast demo

test: .venv/full ## run every test
	$(BIN)/python -m pytest

check: .venv/full ## format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/full ## regenerate the pages of results/ that half an hour is enough for
	$(BIN)/python benchmarks/few_shot.py
	$(BIN)/python benchmarks/episodes.py
	$(BIN)/python benchmarks/continual.py
	$(BIN)/python benchmarks/sensitivity.py
	$(BIN)/python benchmarks/lm_support.py
	$(BIN)/python benchmarks/readme.py

bench-long: .venv/full ## regenerate the others: hours
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/full_data.py
	$(BIN)/python benchmarks/novelty.py
	$(BIN)/python benchmarks/efficiency.py
	$(BIN)/python benchmarks/raw.py
	$(BIN)/python benchmarks/scale_out.py
	$(BIN)/python benchmarks/lm.py
	$(BIN)/python benchmarks/lm_tasks.py

bench-quick: .venv/full ## minutes: less of everything in results/quick, held to docs/claims.md
	$(BIN)/python benchmarks/few_shot.py --quick
	$(BIN)/python benchmarks/episodes.py --quick
	$(BIN)/python benchmarks/efficiency.py --quick
	$(BIN)/python benchmarks/continual.py --quick
	$(BIN)/python benchmarks/sensitivity.py --quick
	$(BIN)/python benchmarks/lm_support.py --quick
	$(BIN)/python benchmarks/check_claims.py

clean:
	rm -rf .venv

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/full: .venv/light
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	touch $@
