# One command for each thing a contributor does; `make help` lists them.
# On a fresh clone every target first creates $(VENV) and installs the project with the tested versions.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install compare test test-slow test-ray lint format types clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 chooses the interpreter (3.11 or later), VENV=folder the environment."

install: $(STAMP) ## Create .venv and install the project with the versions of constraints.txt

compare: $(STAMP) ## Train DQN, SQN and IPS and compare them and four references on the same simulated users (under 5 minutes)
	$(BIN)/recsim-env compare $(ARGS)

test: $(STAMP) ## Run the tests (ARGS="tests/kernel -x" passes arguments on)
	$(BIN)/python -m pytest $(ARGS)

test-slow: $(STAMP) ## Run the tests that train agents or measure speed
	$(BIN)/python -m pytest -n 0 -m slow $(ARGS)

test-ray: $(STAMP) ## Install Ray and run the tests of --engine ray, also those that are skipped without it
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev,ray]"
	$(BIN)/python -m pytest -n 0 -m "slow or not slow" tests/benchmarks/test_engines.py $(ARGS)

lint: $(STAMP) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(STAMP) ## Mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## Check types
	$(BIN)/mypy

clean: ## Remove the environment, caches and build outputs; results/ stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "recsim_env needs Python 3.11 or later; choose one with: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt -e ".[dev]"
	@touch $@
