# Two commands do everything from a bare clone: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint viz clean-data
run: .venv/.installed
	$(BIN)/kedro run

test: .venv/.installed-test
	$(BIN)/python -m pytest --cov --cov-report=term

lint: .venv/.installed-test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy && $(BIN)/python -m protsae.reference --check

viz: .venv/.installed
	$(BIN)/kedro viz run

.venv/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else f"protsae needs Python 3.11 or newer, this is {v[0]}.{v[1]}: make PYTHON=python3.12 run")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps -e .
	touch $@

.venv/.installed-test: .venv/.installed requirements-test.txt
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-test.txt
	touch $@
