# Fairway: `make demo` shows it, `make test` checks it. Both do all their own set-up.

.PHONY: help demo test lint unit lock wheel image native docs clean setup

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: ## a change goes to production and back, live in this terminal (DEMO_EXIT=1 stops it afterwards)
	@test -x scripts/demo || { echo "error: this checkout has no scripts/demo yet" >&2; exit 1; }
	@scripts/demo

test: ## every check; scripts/test NAME runs one suite
	@scripts/test

lint: ## formatting, lint, types, import contracts
	@scripts/test lint

unit: ## the unit tests
	@scripts/test unit

setup: ## the Python environment .venv, as the locks name it
	@scripts/setup

lock: ## make requirements/*.lock from pyproject.toml
	@scripts/lock

wheel: ## dist/fairway-*.whl and dist/fairway_native-*.whl
	@scripts/wheel

image: ## dist/fairway-*-image.tar, Fairway's own container image (scripts/image --help says more)
	@scripts/image

native: ## the Go programs of native/, into .cache
	@scripts/native --wait

docs: ## the generated pages of docs/reference
	@scripts/setup
	@.venv/bin/python scripts/gen-errors

clean: ## remove what the commands above made in this folder (not what Fairway keeps elsewhere)
	rm -rf .venv .cache dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
