# What a person types. Everything runs in .venv, which is filled from the lock files with checked hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Give LOCK_OPTIONS=--upgrade to take the newest versions that pyproject.toml allows.
LOCK_OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help demo pictures test lint run messages lock clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/ready ## Install, then play five weeks of the trial in the terminal (no token needed)
	$(BIN)/followup story

test: lint ## Install, then check style, types and imports and run all tests
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/ready ## Check style (ruff), types (mypy) and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

run: $(VENV)/ready ## Run the bot with the settings in .env
	$(BIN)/followup run

messages: $(VENV)/ready ## Collect the text keys and update the files in locales/
	$(BIN)/followup messages

lock: $(VENV)/bin/python ## Write requirements.txt and requirements-dev.txt again from pyproject.toml
	test -x $(BIN)/uv || $(PIP) install --quiet uv
	$(BIN)/uv pip compile --quiet $(LOCK_OPTIONS) --python $(BIN)/python --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --extra dev pyproject.toml -o requirements-dev.txt
	$(BIN)/uv pip compile --quiet $(LOCK_OPTIONS) --python $(BIN)/python --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" --extra bench pyproject.toml -c requirements-dev.txt -o requirements-bench.txt
	$(BIN)/uv pip compile --quiet $(LOCK_OPTIONS) --python $(BIN)/python --generate-hashes --no-emit-index-url \
	    --custom-compile-command "make lock" pyproject.toml -c requirements-dev.txt -o requirements.txt

clean: ## Remove .venv, caches and what the demo left (never a database)
	rm -rf $(VENV) .demo dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The files named below are made last, so an installation that was broken off is begun again.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "This needs Python 3.11 or newer; $(PYTHON) is not. Try: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/packages: requirements-dev.txt | $(BIN)/python
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

$(VENV)/ready: $(VENV)/packages pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

pictures: demo ## Play the story and put its pictures into docs/pictures
	mkdir -p docs/pictures
	cp .demo/chat-zh.png .demo/chat-en.png docs/pictures/
	cp .demo/adherence-S-001.png docs/pictures/adherence.png
