# Everything that a contributor or CI runs. Each target does its own setup, in a virtual environment inside the project.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup check format test rehearse docs mutants benchmark clean

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup: $(STAMP) ## Install everything into .venv (a second run does nothing)

$(STAMP): requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

check: $(STAMP) ## Check format, lint, types, layers and wording
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/check_prose.py

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## Run every test
	$(BIN)/python -m pytest

rehearse: $(STAMP) ## Deploy both regions on the embedded AWS, fail the database over, destroy everything
	$(BIN)/python -m rehearsal $(ARGS)

docs: $(STAMP) ## Write the generated pages in docs/reference
	$(BIN)/python -m docgen

mutants: $(STAMP) ## Change the decision table row by row and check that the tests notice (a minute)
	$(BIN)/python -m tests.mutation

benchmark: $(STAMP) ## Simulate 10,000 region-years and compare with the usual alternatives
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove the virtual environment and everything generated
	rm -rf $(VENV) rehearsal-report .sandbox .pytest_cache .ruff_cache
