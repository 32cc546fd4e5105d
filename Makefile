PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo serve test attack browser pictures check cover docs wheel bench bench-lm bench-long bench-quick clean

demo: .venv/light ## watch labelled rows being learned in one pass (light core only)
	$(BIN)/faast demo

serve: .venv/serve ## teach and ask on a page, with an example task
	$(BIN)/python examples/serve.py build/tasks
	$(BIN)/faast serve build/tasks

test: .venv/full ## run every test, on all processors
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

attack: .venv/full ## hours: the randomised tests, many times longer than elsewhere
	FAAST_HISTORIES=50000 FAAST_FORGERIES=20000 FAAST_KILLS=1000 $(BIN)/python -m pytest \
	  tests/estimators/test_histories.py tests/core/test_forged_files.py \
	  tests/core/test_killed_writers.py tests/lm/test_forged_files.py \
	  tests/serve/test_durability.py tests/serve/test_killed_server.py

check: .venv/full ## format, lint, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: ## a browser for the tests of the page, from Debian's packages
	command -v chromium || { apt-get update && apt-get install --yes chromium; }

pictures: .venv/full ## take the pictures of the page that docs/guides/teach.md shows
	FAAST_PICTURES=1 $(BIN)/python -m pytest tests/serve/browser/test_browser_views.py

cover: .venv/full ## branch coverage of core, solvers and estimators by their own tests
	$(BIN)/python -m pytest tests/core tests/solvers tests/estimators --cov --cov-report=term-missing:skip-covered

docs: .venv/docs ## build the site into build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

wheel: .venv/wheel ## build the wheel, install it without extras, run the demo
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist
	$(BIN)/python .ci/check_wheel.py dist

CLASSIFIERS := features.full_data features.few_shot scale.efficiency features.episodes features.core features.continual features.sensitivity

bench: .venv/full ## regenerate the pages of classifiers and of cost, two at a time with one thread each: under an hour
	$(BIN)/python -m benchmarks.features.encode
	$(MAKE) --jobs=2 $(CLASSIFIERS:%=page-%)
	$(BIN)/python -m benchmarks.pages

page-%: .venv/full
	$(BIN)/python -m benchmarks.$*

bench-lm: .venv/full ## regenerate the pages of language models: hours
	$(BIN)/python -m benchmarks.lm.support
	$(BIN)/python -m benchmarks.lm.adaptation
	$(BIN)/python -m benchmarks.lm.tasks
	$(BIN)/python -m benchmarks.lm.tasks --gemma
	$(BIN)/python -m benchmarks.lm.recall
	$(BIN)/python -m benchmarks.lm.recall --gemma
	$(BIN)/python -m benchmarks.lm.serving
	$(BIN)/python -m benchmarks.lm.serving --gemma
	$(BIN)/python -m benchmarks.lm.gemma_cost
	$(BIN)/python -m benchmarks.lm.gemma_adaptation
	$(BIN)/python -m benchmarks.lm.gemma_marks
	$(BIN)/python -m benchmarks.lm.lora_export
	$(BIN)/python -m benchmarks.pages

bench-long: bench bench-lm ## regenerate all pages
	$(BIN)/python -m benchmarks.features.novelty
	$(BIN)/python -m benchmarks.labels
	$(BIN)/python -m benchmarks.scale.raw
	$(BIN)/python -m benchmarks.scale.streams
	$(BIN)/python -m benchmarks.scale.scale_out
	$(BIN)/python -m benchmarks.serve.review
	$(BIN)/python -m benchmarks.pages

bench-quick: .venv/full ## minutes: less of everything in results/quick, held to docs/claims.md
	$(BIN)/python -m benchmarks.features.few_shot --quick
	$(BIN)/python -m benchmarks.features.episodes --quick
	$(BIN)/python -m benchmarks.scale.efficiency --quick
	$(BIN)/python -m benchmarks.features.continual --quick
	$(BIN)/python -m benchmarks.features.sensitivity --quick
	$(BIN)/python -m benchmarks.lm.support --quick
	$(BIN)/python -m benchmarks.check_claims

clean:
	rm -rf .venv build dist

.venv/light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/serve: .venv/light
	$(INSTALL) --editable '.[onnx,serve]'
	touch $@

.venv/full: .venv/light
	$(INSTALL) --editable '.[dev,bench]'
	touch $@

.venv/docs: .venv/light
	$(INSTALL) --editable '.[docs]'
	touch $@

.venv/wheel: .venv/light
	$(INSTALL) --editable '.[wheel]'
	touch $@
