# The commands of semgate's checkout; `make` alone lists them. The work is done by scripts/, which CI calls as well.
# Variables can be given on the command line: make serve PYTHON=python3.12 CONFIG=my-routes.yaml

PYTHON ?= python3
VENV   ?= .venv
CONFIG ?= routes.yaml
ARGS   ?=
BIN    := $(VENV)/bin
export VENV

.DEFAULT_GOAL := help
.PHONY: help serve test check fix bench quality schema docs wheel container clean

help: ## this list
	@echo "semgate: make TARGET [PYTHON=$(PYTHON)] [VENV=$(VENV)] [CONFIG=$(CONFIG)] [ARGS=...]"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

serve: $(VENV)/.installed ## install what is needed, then run the gateway
	@exec $(BIN)/semgate serve $(CONFIG) $(ARGS)

test: $(VENV)/.installed-dev ## run all tests (ARGS="-k name" for some of them)
	@scripts/test $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, import floors, generated files
	@scripts/check

fix: $(VENV)/.installed-dev ## format, repair what the linter can, rewrite generated files
	@scripts/fix

bench: $(VENV)/.installed-bench ## measure; the table and the picture go to bench/out
	@exec $(BIN)/python bench/run.py $(ARGS)

quality: $(VENV)/.installed-quality ## measure how right cached answers are (ARGS="--data DIR"); tables and curves go to quality/out
	@exec $(BIN)/python -m quality.run $(ARGS)

schema: $(VENV)/.installed-dev ## rewrite schemas/routes.schema.json
	@$(BIN)/python scripts/build_schema.py

docs: $(VENV)/.installed-dev ## rewrite docs/configuration.md
	@$(BIN)/python scripts/build_reference.py

wheel: $(VENV)/.installed-dev ## build the wheel and the source archive into dist/
	@$(BIN)/python -m hatchling build

container: ## build the container image with podman, and try it out (ARGS="--base IMAGE")
	@scripts/container build $(ARGS)
	@scripts/container smoke

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) dist build bench/out quality/out .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A stamp says what the virtual environment holds; it is made again when pyproject.toml changes.
$(VENV)/.installed: pyproject.toml
	@scripts/install "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	@scripts/install "$(PYTHON)" "$(VENV)" dev
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: pyproject.toml
	@scripts/install "$(PYTHON)" "$(VENV)" dev,bench
	@touch $@ $(VENV)/.installed-dev $(VENV)/.installed

$(VENV)/.installed-quality: pyproject.toml
	@scripts/install "$(PYTHON)" "$(VENV)" dev,quality
	@touch $@ $(VENV)/.installed-dev $(VENV)/.installed
