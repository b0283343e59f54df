# make run    a server with a demo library, a local agent and a SOAP client that uses them
# make test   everything that must hold
# make lint   ruff, mypy, import-linter, codespell
# make bench  the performance figures, beside their peers (bench/README.rst)
# PYTHON=python3.12 make ...   with another Python (3.11, 3.12 or 3.13)

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test lint bench clients clean

run: $(VENV)/.demo
	@$(BIN)/dispatcher serve --demo & server=$$!; \
	trap 'kill $$server 2>/dev/null' INT TERM; \
	$(BIN)/python -m dispatcher.demo; \
	wait $$server

test: $(VENV)/.test lint
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell dispatcher tests docs bench conf README.rst CHANGES.rst Makefile

bench: $(VENV)/.test
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist *.egg-info .run

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/.test: setup.cfg | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,demo]'
	@touch $@ $(VENV)/.demo
