# The verbs of this project; `make` alone prints them. Each sets up what it misses (scripts/setup).

PY := .venv/bin/python
# More for pytest, as in: make test ARGS="-k claims -x"; for the program of fault, bench: make fault ARGS="--seed 7"
ARGS ?=
# A worker a core; whoever is idle takes tests from the end of another's queue. One after the other: ARGS=-n0
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=worksteal

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check lint unit fmt fault bench lock clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## the environment in .venv, when it is missing or old
	@scripts/setup

run: setup ## everything in one process on the embedded PostgreSQL; Ctrl-C stops it, the data stay in var/
	@.venv/bin/emsp run

demo: setup ## load the demo data into what `make run` started, through the public API
	@.venv/bin/emsp demo

check: setup ## lint beside the unit and architecture tests; before every commit
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint unit

lint: setup ## format, lint, types and import rules
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache --no-logo

# schemathesis takes two seconds to start, and no test here has a use for it.
unit:
	$(PY) -m pytest -q -p no:schemathesis tests/unit tests/architecture $(ARGS)

test: setup ## all tests, with a few faults; finds PostgreSQL and RabbitMQ or starts its own
	@$(PY) -m tests.support.servers prepare
	$(PY) -m pytest $(PARALLEL) $(ARGS)

fault: setup ## kill, cut, stop and wipe everything under continuous writes: 200 faults, half an hour; ARGS are tests.fault's
	@$(PY) -m tests.support.servers prepare
	$(PY) -m pytest -q tests/integration/test_writer.py tests/integration/test_publisher.py tests/integration/test_bus.py \
		tests/integration/test_outbox.py tests/integration/test_loose_images.py \
		tests/e2e/test_processes.py tests/e2e/test_rebuild.py tests/e2e/test_image_store.py tests/fault/test_store_machine.py
	$(PY) -m tests.fault $(ARGS)

bench: setup ## measure, and print one table
	@$(PY) -m tests.support.servers prepare
	$(PY) -m tests.bench $(ARGS)

fmt: setup ## format, and fix what can be fixed safely
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: ## lock the newest versions that pyproject.toml allows
	scripts/lock

clean: ## remove what was made, but not var/ with the data
	rm -rf .venv .uv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
