# make reports               every study on the quick budget, into reports/quick
# make reports BUDGET=full   every study on the full budget, into reports/full
# make test, make lint       the tests; ruff
# make test-machines         the tests and the quick ledger as on other processors: the same words everywhere
# make test-mutants          how many of 240 slips, put into the code one at a time, the tests catch; how many change a verdict
# make test-oldest           a smoke test with the oldest dependencies that pyproject.toml accepts
PYTHON ?= python3
BUDGET ?= quick
BIN := .venv/bin
READY := .venv/.ready
OLDEST := .venv-oldest

.PHONY: reports test test-machines test-mutants test-oldest lint clean

reports: $(READY)
	$(BIN)/python -m ratewitness.studies run --budget $(BUDGET)

test: $(READY)
	$(BIN)/python -m pytest

test-machines: $(READY)
	$(BIN)/python tests/machines.py

test-mutants: $(READY)
	$(BIN)/python tests/mutation.py --claims 100

test-oldest: $(OLDEST)/.ready
	$(OLDEST)/bin/python tests/smoke.py

lint: $(READY)
	$(BIN)/ruff check .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,pep]'
	touch $@

# lowest-direct: the oldest versions of what pyproject.toml names, the newest of what those need; pip cannot do that
$(OLDEST)/.ready: pyproject.toml
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(OLDEST)/bin/uv pip install --python $(OLDEST)/bin/python --resolution lowest-direct --editable '.[test,pep]'
	touch $@

clean:
	rm -rf .venv .venv-oldest reports/quick *.egg-info .pytest_cache .ruff_cache .hypothesis
