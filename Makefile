# The two commands of the README: `make run` and `make test`. Everything goes into .venv; nothing else is touched.
PYTHON ?= python3
VENV ?= .venv
# torch: the CPU build is enough. TORCH names the version, TORCH_INDEX (empty: pip's own) where pip looks for it.
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
CARD ?= examples/drell_yan.yaml

BIN := $(VENV)/bin
SOURCES := $(shell find mcbridge madgraph_interface -name '*.c' -o -name '*.cpp' -o -name '*.hpp' -o -name '*.h') setup.py setup.cfg pyproject.toml

.PHONY: run test test-all lint docs benchmark clean

$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	touch $@

$(VENV)/.installed: $(VENV)/.torch $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet 'binnis[test,plots,docs]' # the extras of what is installed: nothing is compiled again
	touch $@

run: $(VENV)/.installed
	$(BIN)/binnis run $(CARD)

test: $(VENV)/.tested
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.tested
	$(BIN)/python -m pytest

lint: $(VENV)/.tested
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# Warnings are errors, broken links between pages among them. The site is in docs/_build/html.
docs: $(VENV)/.tested
	$(BIN)/python -m sphinx -W --keep-going -n -q -b html docs docs/_build/html

clean:
	rm -rf $(VENV) build docs/_build docs/_generated
