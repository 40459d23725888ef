# make reports               every study on the quick budget, into reports/quick
# make reports BUDGET=full   every study on the full budget, into reports/full
# make test, make lint       the tests; ruff
PYTHON ?= python3
BUDGET ?= quick
BIN := .venv/bin
READY := .venv/.ready

.PHONY: reports test lint clean

reports: $(READY)
	$(BIN)/python -m ratewitness.studies run --budget $(BUDGET)

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,pep]'
	touch $@

clean:
	rm -rf .venv reports/quick *.egg-info .pytest_cache .ruff_cache .hypothesis
