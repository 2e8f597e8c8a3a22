# Two commands do everything from a bare clone: `make run` and `make test`. CONTRIBUTING.md says what each tier of tests is for.
PYTHON ?= python3
BIN := .venv/bin
# Test files are spread over two processes of one thread each: two full processes would compete for the cores.
WORKERS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast test-slow lint fuzz shipped viz
run: .venv/.installed
	$(BIN)/kedro run

test: .venv/.installed-test
	$(PYTEST) --cov --cov-report=term

test-fast: .venv/.installed-test
	$(PYTEST) -m "not (end_to_end or shared or slow or gpu)"

test-slow: .venv/.installed-test
	$(PYTEST) -m "slow and not gpu"

lint: .venv/.installed-test
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports && $(BIN)/mypy && $(BIN)/python -m protsae.reference --check && $(BIN)/python benchmarks/claims.py

fuzz: .venv/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reliability.py

# The releases in the package, from the finished runs in data and data/antibody.
shipped: .venv/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/shipped.py

viz: .venv/.installed
	@echo 'The stages alone, without datasets: http://127.0.0.1:4141/?types=nodes'
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
