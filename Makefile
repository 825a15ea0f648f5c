# Everything a newcomer types. Needs Python 3.11+, make and the package registries; nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# SLUICE_EXTRA=gpu installs onnxruntime-gpu instead of onnxruntime.
SLUICE_EXTRA ?= cpu
STAMP := $(VENV)/.installed-$(SLUICE_EXTRA)

.PHONY: install demo test check format lint types fast bench lock clean

install: $(STAMP)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sluice needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q schemas app agents
	touch $@

demo: install
	$(BIN)/sluice demo

# Those with a real Kafka go three at a time, whatever the machine: each has a broker, and waits more than it works.
# Those that measure time have the machine for themselves.
test: install
	$(BIN)/python -m pytest -q -n auto -m "not broker" tests
	$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "broker and not alone" tests/broker
	$(BIN)/python -m pytest -q -m "broker and alone" tests/broker

check: install format lint types fast

format: install
	$(BIN)/ruff format --check .

lint: install
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

fast: install
	$(BIN)/python -m pytest -q -n auto -m "not broker and not slow" tests

bench: install
	$(BIN)/sluice bench

# Renew the lock file from pyproject.toml (hashes, no index addresses).
lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra cpu --extra train --extra dev --universal --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
