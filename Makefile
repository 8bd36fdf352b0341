# The developer's interface: each target sets up what it needs in .venv, and again only if requirements*.txt changed.
# 'make serve PYTHON=python3.12' picks the interpreter that .venv is made with.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help serve chat test lint bench clean

help:
	@echo "make serve   serve the chat page and the HTTP API on http://127.0.0.1:8000"
	@echo "make chat    talk to the bot in the terminal"
	@echo "make test    run all tests"
	@echo "make lint    check style and types"
	@echo "make bench   run the benchmarks"
	@echo "make clean   remove .venv and caches; your data stays"

serve: $(VENV)/.installed
	$(BIN)/shopbot serve

chat: $(VENV)/.installed
	$(BIN)/shopbot chat

test: $(VENV)/.installed-dev
	-$(BIN)/shopbot model pull >/dev/null
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src plugins/*/src

bench: $(VENV)/.installed-dev
	$(BIN)/shopbot model pull >/dev/null
	set -e; for run in benchmarks/*/run.py; do $(BIN)/python -m "benchmarks.$$(basename "$$(dirname "$$run")").run"; done

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is missing (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -r requirements-dev.txt
	@touch $@ $(VENV)/.installed
