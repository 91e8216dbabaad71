# One loop for everybody: `make test` is what CI runs. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all dist check lint types layers tests format bench-status bench-fetch bench-connections bench-media bench-repair bench-verify clean

BIN := .venv/bin
CODE := kdl tests tools

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## ffmpeg (apt, where missing), .venv, kdl with the development tools
	@tools/setup.sh dev

demo: ## a small data set made, served on loopback, mirrored, resized and listed
	@tools/setup.sh user
	@$(BIN)/kdl demo

test: ## everything that CI runs: lint, types, layers, tests
	@tools/setup.sh test
	@$(MAKE) --no-print-directory lint types layers tests

test-all: test ## the tests that take minutes as well
	$(BIN)/pytest -n 2 --dist loadfile -m long

check: setup lint types layers ## lint, types and layers, without the tests

dist: setup ## a wheel and an sdist in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

lint:
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

# Three workers on two cores: many tests wait for a server, a signal or a retry.
tests:
	$(BIN)/pytest -n 3 --dist loadfile -m "not long"

format: setup ## ruff's own format, and the fixes it is sure of
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench-status: setup ## `kdl status` on a ledger of 650,000 clips
	$(BIN)/python -m tools.bench.ledger_status

bench-fetch: ## `kdl fetch` and what people put together by hand, on the same shards
	@tools/setup.sh bench
	$(BIN)/python -m tools.bench.fetch

bench-media: ## `kdl derive` and what people run instead, on the same clips
	@tools/setup.sh bench
	$(BIN)/python -m tools.bench.media

bench-connections: ## one archive over one connection and over four, each held to 5 MB/s
	@tools/setup.sh bench
	$(BIN)/python -m tools.bench.connections

bench-verify: ## `kdl verify` beside sha256sum, and its quick look at 650,000 clips
	@tools/setup.sh bench
	$(BIN)/python -m tools.bench.verify

bench-repair: ## what seek indexes cost a fetch, and how little a repair by index moves
	@tools/setup.sh bench
	$(BIN)/python -m tools.bench.repairing

clean: ## what make made: .venv and caches (mirrors are never touched)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
