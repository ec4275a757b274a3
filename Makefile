# Two commands on a fresh machine: `make run` and `make test`. Both set up what they need, once.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Byte code is written when a module is first imported, which most of torch's never is.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(PIP) install --no-compile -c constraints.txt
# One thread per process: pools that oversubscribe two cores cost more than they give.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export NUMBA_NUM_THREADS := 1

.PHONY: run test setup lint types imports pytest workloads reports docs clean

run: $(VENV)/.base
	$(BIN)/cosim run arch/optical4f.yaml workloads/vit.yaml --baseline arch/gpu_rtx3090.yaml

# The type checker and the tests run side by side; either failing fails the target.
test: setup lint imports
	$(MAKE) --no-print-directory -j 2 types pytest

setup: $(VENV)/.full

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e .
	@touch $@

$(VENV)/.full: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e ".[all,dev]"
	@touch $(VENV)/.base $@

lint:
	$(BIN)/ruff check cosim tests
	$(BIN)/ruff format --check cosim tests

types:
	$(BIN)/mypy

imports:
	$(BIN)/lint-imports

pytest:
	@bash tests/rtl/install.sh
	@bash tests/report/install.sh
	$(BIN)/python -m pytest -n 2

workloads: setup
	$(BIN)/python -m cosim.frontends.regenerate

# The committed comparison of all kinds of machine. Published results are in reports/published.json, which
# `python -m cosim.checks.published` rewrites.
reports: $(VENV)/.base
	rm -rf reports/machines
	$(BIN)/cosim compare optical4f systolic_128 systolic_mlc_sttram cpu_zen4 \
	  -w vit -w convsharevit -w resnet50 -w vgg16 -w mobilenet_v2 --baseline gpu_rtx3090 \
	  --out reports/machines --format html,md

# Pages written from the source, and the outputs shown in README and docs.
docs: setup
	$(BIN)/python -m cosim.report.pages
	$(BIN)/python -m tests.docs.update

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
