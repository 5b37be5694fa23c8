# Everything that a contributor or CI runs. Each target does its own setup, in a virtual environment inside the project.

# The newest supported Python that starts; `make PYTHON=python3.12 ...` overrides it.
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3; do \
  $$name -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2> /dev/null && echo $$name && break; done)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
REHEARSAL := $(VENV)/.installed-rehearsal
DEV := $(VENV)/.installed-dev
AUDIT_VENV := .venv-audit
AUDIT := $(AUDIT_VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup lock check format test test-fast rehearse pulumi audit docs mutants benchmark clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

setup: $(DEV) ## Install everything into .venv (a second run does nothing)

$(UV):
ifeq ($(strip $(PYTHON)),)
	$(error No Python 3.11 to 3.14 with the module venv was found. Install one, or name it: make PYTHON=/path/to/python3)
endif
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(REHEARSAL): requirements-rehearsal.lock | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r $<
	@touch $@

$(DEV): requirements-dev.lock | $(UV)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $<
	@touch $@ $(REHEARSAL)

# Prowler pins other versions of boto3 and pydantic, and does not support Python 3.14.
$(AUDIT): requirements-audit.lock | $(UV)
	$(UV) venv --quiet --clear --python '>=3.10,<3.14' $(AUDIT_VENV)
	$(UV) pip install --quiet --python $(AUDIT_VENV)/bin/python --require-hashes -r $<
	@touch $@

lock: | $(UV) ## Pin the whole dependency tree with hashes, after a change of requirements*.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements-rehearsal.txt -o requirements-rehearsal.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements-dev.txt -o requirements-dev.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" requirements-audit.txt -o requirements-audit.lock

check: $(DEV) ## Check format, lint, types, layers and wording
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/check_prose.py

format: $(DEV) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(DEV) ## Run every test, a file at a time on each core and one more
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(DEV) ## Run the quick unit tests, for the inner loop
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not slow" tests/unit $(ARGS)

rehearse: $(REHEARSAL) ## Deploy both regions on the embedded AWS, fail the database over, destroy everything
	$(BIN)/python -m rehearsal $(ARGS)

pulumi: ## Find a Pulumi CLI on this machine, or build one with Go (minutes the first time)
	@python3 tools/fetch_pulumi.py

audit: $(REHEARSAL) $(AUDIT) ## Compare Prowler's findings in the sandbox with docs/security.md (the first run downloads 1.4 GB)
	$(BIN)/python -m audit --prowler $(AUDIT_VENV)/bin/prowler

docs: $(DEV) ## Write the generated pages in docs
	$(BIN)/python -m docgen

mutants: $(DEV) ## Change the decision table row by row and check that the tests notice (a minute)
	$(BIN)/python -m tests.mutation

benchmark: $(DEV) ## Simulate 10,000 region-years, time the program, and rehearse beside busy processes (half an hour)
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.limits
	$(BIN)/python -m benchmarks.rehearsal

clean: ## Remove the virtual environment and everything generated
	rm -rf $(VENV) $(AUDIT_VENV) rehearsal-report .sandbox .pytest_cache .ruff_cache .import_linter_cache
