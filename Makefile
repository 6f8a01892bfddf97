# Headworks: everything from two commands, `make demo` and `make test`. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/common libs/waterway services/ingest services/optimizer services/plans services/control-gateway \
            services/alerts services/dashboard simulators
SOURCES := $(addsuffix /src,$(PACKAGES))
STAMP := $(VENV)/.headworks-ready
WEB := services/dashboard/web
NODE := $(CURDIR)/$(VENV)/lib/node/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup lock check types test demo bench prove docs clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make the environment: locked libraries and our packages

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(PACKAGES))
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Headworks needs Python 3.11 or later; give one with make PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@touch $(STAMP)

lock: ## resolve the libraries again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-emit-package headworks-common --no-emit-package headworks-waterway --custom-compile-command "make lock" \
	  $(addsuffix /pyproject.toml,$(PACKAGES)) --group dev -o requirements.lock

check: setup ## formats, lint, types, import rules, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory types
	$(BIN)/lint-imports

types:
	$(BIN)/mypy $(SOURCES)
	@for tests in $(addsuffix /tests,$(PACKAGES)) tests benchmarks; do \
	  if find $$tests -name '*.py' 2>/dev/null | grep -q .; then echo "mypy $$tests"; $(BIN)/mypy $$tests || exit 1; fi; done

test: setup ## all tests
	$(BIN)/pytest -n 2 --dist loadfile

bench: setup ## a benchmark: make bench NAME=solve
	$(BIN)/python benchmarks/$(NAME).py

clean: ## remove what was built and what the demo keeps
	rm -rf $(VENV) .headworks .mypy_cache .ruff_cache .pytest_cache benchmarks/results $(WEB)/node_modules
