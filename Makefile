# Python 3.11 or newer; pick another with: make test PYTHON=python3.12
PYTHON ?= python3
BOOTSTRAP = $(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## set up, then show wetware at work
	@$(BOOTSTRAP) --extras fast -- wetware demo

test: ## set up, then lint, formatting, types and tests
	@$(BOOTSTRAP) --extras dev -- python tools/check.py

lint: ## set up, then lint, formatting and types
	@$(BOOTSTRAP) --extras dev -- python tools/check.py lint format types

bench: ## set up, then the short set of benchmarks
	@$(BOOTSTRAP) --extras fast,bench -- python benchmarks/all.py
