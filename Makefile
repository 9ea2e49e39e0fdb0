# Two doors: `make demo` shows what fastlint finds, `make test` runs everything that CI runs.
# Needs make, a Python from 3.10 to 3.13 and a package index; everything else is installed into VENV.

VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then echo $$python; break; fi; done)
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: demo test lint compare bench bench-advice edits compiled clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed
	$(BIN)/fastlint check --exit-zero fixtures/demo

test: lint
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/fastlint check .

# By hand only: see bench/README.md. Needs FASTLINT_CORPUS, or --corpus in COMPARE.
compare: $(VENV)/installed
	$(BIN)/python bench/compare.py --cache .bench $(COMPARE)

# By hand only, too: applications, and --peers of `make compare`, in BENCH.
bench: $(VENV)/installed
	$(BIN)/python bench/speed.py $(BENCH)

# By hand only: it measures, so nothing else should run. Writes docs/advice.md.
bench-advice: $(VENV)/installed-dev
	$(BIN)/python bench/advice.py --output docs/advice.md

# By hand only: every edit is two runs. Applications in EDITS.
edits: $(VENV)/installed
	$(BIN)/python bench/edits.py $(EDITS)

# By hand only: minutes of a C compiler. Builds with mypyc and holds the result against the plain build.
compiled: $(VENV)/installed-dev
	$(BIN)/python bench/compiled.py $(COMPILED)

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "fastlint needs Python 3.10 or later: none found on PATH (set PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml
	$(PIP) -e '.[dev]'
	@touch $(VENV)/installed $@

clean:
	rm -rf $(VENV) .bench build dist .mypy_cache .pytest_cache .ruff_cache
