# What a person types. Everything runs in .venv, which is filled from the lock files with checked hashes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Give LOCK_OPTIONS=--upgrade to take the newest versions that pyproject.toml allows.
LOCK_OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help demo pictures test lint run messages lock clean \
    kills kills-1000 kills-10000 failover faults red-first throughput store start scale adherence-scale planning \
    backup-proof export-proof \
    simulate simulate-seeds words storm
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/ready ## Install, then play five weeks of the trial in the terminal (no token needed)
	$(BIN)/followup story

test: lint ## Install, then check style, types and imports and run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/ready ## Check style (ruff), types (mypy) and the import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

run: $(VENV)/ready ## Run the bot with the settings in .env
	$(BIN)/followup run

messages: $(VENV)/ready ## Collect the text keys and update the files in locales/
	$(BIN)/followup messages

# Proofs and measurements; `WRITE=--write` puts the figures into docs/evidence.
WRITE ?=

kills: $(VENV)/ready ## Kill the bot 200 times under load and judge what became of every report
	$(BIN)/python -m bench.kill --kills 200 --seed 1 $(WRITE)

kills-1000: $(VENV)/ready ## The same 1,000 times, with the stock polling loop as the control
	$(BIN)/python -m bench.kill --kills 1000 --seed 1 --control $(WRITE)

kills-10000: $(VENV)/ready ## The same 10,000 times (hours)
	$(BIN)/python -m bench.kill --kills 10000 --seed 1 $(WRITE)

failover: $(VENV)/ready ## Kill and pause the leader of two processes on PostgreSQL
	$(BIN)/python -m bench.failover --rounds 200 --long 3 --seed 1 $(WRITE)

faults: $(VENV)/ready ## Inject faults of the network, the database and the clock
	$(BIN)/python -m bench.faults --seed 1 $(WRITE)

red-first: $(VENV)/ready ## Send red pages while 10,000 reminders wait
	$(BIN)/python -m bench.red_first $(WRITE)

throughput: $(VENV)/bench ## Compare with bare echo bots
	$(BIN)/python -m bench.throughput $(WRITE)

store: $(VENV)/bench ## Compare ways to use the database
	$(BIN)/python -m bench.store $(WRITE)

start: $(VENV)/ready ## Measure start-up and memory
	$(BIN)/python -m bench.start $(WRITE)

scale: $(VENV)/ready ## Fill PostgreSQL with up to 1,000,000 subjects and measure (half an hour)
	$(BIN)/python -m bench.scale --seed 1 $(WRITE)

adherence-scale: $(VENV)/ready ## Measure /adherence of a site with up to 10,000 patients and two years of days
	$(BIN)/python -m bench.adherence $(WRITE)

REPORTS ?= 10000

storm: $(VENV)/ready ## Let 10,000 abnormal reports meet careless staff and judge each (REPORTS=100000: hours)
	$(BIN)/python -m bench.storm --reports $(REPORTS) --seed 1 $(WRITE)

words: $(VENV)/ready ## Judge the evaluation set of free words: confusion table, texts a second
	$(BIN)/python -m bench.words $(WRITE)

simulate: $(VENV)/ready ## Play 25 months of the trial with 90 patients and check their phones
	$(BIN)/followup simulate --subjects 90 --months 25 --seed 7

# The seeds of the nightly run, how large each of them is, and how many are played side by side.
SEEDS ?= 100
SEED_SIZE ?= --subjects 9 --months 3
SEED_JOBS ?= 2

simulate-seeds: $(VENV)/ready ## The same, smaller, with faults, for 100 seeds (nightly; SEEDS=... SEED_SIZE=...)
	@seq 1 $(SEEDS) | xargs -P $(SEED_JOBS) -I SEED sh -c ' \
	    $(BIN)/followup simulate $(SEED_SIZE) --seed SEED --faults > .simulation-SEED.txt 2>&1 \
	    && rm .simulation-SEED.txt || { cat .simulation-SEED.txt; echo "seed SEED failed"; exit 255; }' \
	&& echo "$(SEEDS) seeds: nothing happened that must not happen."

planning: $(VENV)/ready ## Measure planning with up to 1,000,000 subjects, beside APScheduler with a job a reminder
	$(BIN)/python -m bench.planning --seed 1 $(WRITE)

backup-proof: $(VENV)/ready ## Back up under load, restore in four directions, damage backups
	$(BIN)/python -m bench.backup --seed 1 $(WRITE)

export-proof: $(VENV)/ready ## Export two years of 90 subjects from both databases
	$(BIN)/python -m bench.exporting --seed 1 $(WRITE)

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

$(VENV)/bench: requirements-bench.txt | $(VENV)/ready
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements-bench.txt
	@touch $@

pictures: demo ## Play the story and put its pictures into docs/pictures
	mkdir -p docs/pictures
	cp .demo/chat-zh.png .demo/chat-en.png docs/pictures/
	cp .demo/adherence-S-001.png docs/pictures/adherence.png
