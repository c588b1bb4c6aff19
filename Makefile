# Slipway. `make help` lists what there is. Needs Python 3.11 or newer, make and a shell; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
STAMP := $(VENV)/.installed
PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder
SOURCES := api activities workflows providers domain db workers sandbox deploy settings.py temporal.py telemetry.py cli.py

# Each workflow's sandbox loads the workflow modules anew; without their bytecode it would compile them every time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up down lab test journeys check format bench fleet certificates record faults mutants kills orders drill contract lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installed again only when the lock file or the project's description changed.
$(STAMP): requirements-dev.lock pyproject.toml
	@set -e; test -x $(BIN)/python && exit 0; \
	for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11 none; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || true; done; \
	test $$python != none || { \
	  echo "Slipway needs Python 3.11 or newer, and $(PYTHON) is $$(command -v $(PYTHON) >/dev/null && $(PYTHON) --version 2>&1 || echo missing). Choose one: make PYTHON=/path/to/python3.11 up" >&2; exit 1; }; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$$python cannot make a virtual environment: install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing what requirements-dev.lock lists into $(VENV) (once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

up: $(STAMP) ## start everything on this machine; DETACH=1 returns when all is ready
	@exec $(BIN)/slipway up $(if $(filter-out 0,$(DETACH)),--detach)

down: $(STAMP) ## stop what `make up` started
	@exec $(BIN)/slipway down

lab: $(STAMP) ## prepare real hosts, a name server, a registry and a CA for tests (once; root on Linux)
	@$(BIN)/python -m sandbox.lab prepare

test: $(STAMP) ## run every test that takes seconds, as far as this machine allows (TESTS=path)
	@$(PYTEST) -m "not slow" $(TESTS)

journeys: $(STAMP) ## run the tests that take minutes: whole stacks and real hosts (TESTS=path)
	@$(PYTEST) -m slow $(TESTS)

check: $(STAMP) ## style, format and types
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy $(wildcard $(SOURCES))

format: $(STAMP) ## put the source into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure against the goals; writes bench/results/latest.json
	@$(BIN)/python -m bench

fleet: $(STAMP) ## N=1000 bare servers at once at two accounts of 250 calls a minute each: calls, refusals, fairness
	@$(BIN)/python -m bench.fleet $(or $(N),1000)

faults: $(STAMP) ## the worst days, seed by seed: SEEDS=1000 [FIRST=1] [MINUTES=60], or SEED=123 alone
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),100) --first $(or $(FIRST),1)) $(if $(MINUTES),--minutes $(MINUTES))

certificates: $(STAMP) ## 1,000, 10,000 and 100,000 certificates over 60 virtual days: in time, and what a due one costs (ROWS=n)
	@$(BIN)/python -m bench.certificates $(ROWS)

record: $(STAMP) ## record the workflow histories that the replay test uses
	@$(BIN)/python -m tests.histories.record $(STORIES)

mutants: $(STAMP) ## take each safeguard out of a copy; the tests must notice (ONLY=word)
	@WORKERS=$(WORKERS) $(BIN)/python -m tests.mutants

kills: $(STAMP) ## N=50 real provisionings, each with a process killed at a random moment (SEED, HOSTS, AT_ONCE)
	@$(BIN)/python -m tests.kills $(if $(N),-n $(N)) $(if $(SEED),--seed $(SEED)) $(if $(HOSTS),--hosts $(HOSTS)) $(if $(AT_ONCE),--at-once $(AT_ONCE))

orders: $(STAMP) ## N=1000 payments, each told of three times in any order while workers are killed (SEED)
	@$(BIN)/python -m tests.orders $(if $(N),--orders $(N)) $(if $(SEED),--seed $(SEED))

drill: $(STAMP) ## N=1000 certificates of a CA replaced at a PACE an hour while workers are killed (SEED): each issued once
	@$(BIN)/python -m tests.drill --certificates $(or $(N),1000) $(if $(PACE),--pace $(PACE)) $(if $(SEED),--seed $(SEED))

contract: $(STAMP) ## EXAMPLES=100 generated requests to each operation of our OpenAPI, as every kind of caller (TESTS=-k word)
	@EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/python -m pytest -q -n $(WORKERS) tests/api/test_openapi.py $(TESTS)

lock: ## renew the lock files (needs uv, found by name on the PATH)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --upgrade -q -o requirements-dev.lock
	uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock -q -o requirements.lock
	uv pip compile pyproject.toml --extra postgres --generate-hashes --no-emit-index-url --no-header -c requirements-dev.lock -q -o requirements-postgres.lock

clean: ## stop, and forget the data of `make up` (the virtual environment and the lab stay)
	@if test -x $(BIN)/slipway; then $(BIN)/slipway down --forget; fi
	@rm -rf build *.egg-info .pytest_cache .ruff_cache .mypy_cache
