# Every target works on a fresh clone with Python 3.11+ and make; what it needs goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CONSTRAINTS := constraints.txt
JOBS ?= 2

# Data that is not bundled: the folder beside the checkout, when there is one.
FAIRSK_DATA ?= $(wildcard $(CURDIR)/../shared/data)
export FAIRSK_DATA
# Many small matrices: threads of the linear algebra library would only fight the test workers.
export OMP_NUM_THREADS ?= 1

.PHONY: help quickstart test lint docs bench clean

help:
	@echo "make quickstart  audit COMPAS and Adult, tune fair models, print the table, draw the picture"
	@echo "make test        the test suite with doctests and notebooks"
	@echo "make lint        ruff, mypy and the architecture contract"
	@echo "make docs        the documentation, into docs/_build/html"
	@echo "make bench       every benchmark table (long)"

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

# One stamp an extra, so that the quickstart does not wait for the test tools.
$(VENV)/.with-%: $(VENV)/.created pyproject.toml $(CONSTRAINTS)
	@echo "installing fairsk[$*] into $(VENV) ..."
	$(PIP) -c $(CONSTRAINTS) -e ".[$*]"
	@touch $@

# torch first and from its own index, whose build has no CUDA: PyPI's brings gigabytes of it. Where
# that index cannot be reached, pip takes what it finds.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
$(VENV)/.torch: $(VENV)/.created $(CONSTRAINTS)
	@echo "installing torch into $(VENV) ..."
	$(PIP) -c $(CONSTRAINTS) --retries 0 --timeout 10 --extra-index-url $(TORCH_INDEX) torch
	@touch $@

$(VENV)/.with-test $(VENV)/.with-bench $(VENV)/.with-docs: $(VENV)/.torch

quickstart: $(VENV)/.with-quickstart
	$(BIN)/python -m fairsk.quickstart

test: $(VENV)/.with-test
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n $(JOBS) --nbmake --nbmake-timeout=600 notebooks

lint: $(VENV)/.with-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

docs: $(VENV)/.with-docs
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.with-bench
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf docs/_build docs/api docs/auto_examples docs/sg_execution_times.rst
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
