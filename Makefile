# Sightline's everyday commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
# Of the tests. Most of them wait for a process or a network: three keep two cores busy.
TEST_PROCESSES ?= 3
BIN := $(VENV)/bin
BROWSER := streaming/static/sightline/js tests/js
# With byte code on disk, each of the many processes of the tests compiles nothing.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run test test-fast test-containers test-kubernetes test-cluster check measure format lock bench faults soak screenshots clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-16s %s\n", $$1, $$2}'

run: $(VENV)/.run ## install what is missing, start everything on this machine, print the address and the login
	@exec $(BIN)/python manage.py up

test: $(VENV)/.dev ## install what the tests need, run all of them
	@sh scripts/install-test-system.sh
	@$(BIN)/python -m tests.servers.models.venvs
	node --test $$(find tests/js -name "*.test.mjs")
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: $(VENV)/.dev ## only the tests that start no processes
	$(BIN)/python -m pytest -m "not slow and not faults and not soak and not containers and not cluster and not validators" $(PYTEST_ARGS)

test-containers: $(VENV)/.dev ## build the image, start compose.yaml in a Docker engine, try what docs/upgrade.md says (as root where no engine runs)
	@sh scripts/install-test-system.sh containers
	$(BIN)/python -m pytest -m containers tests/containers $(PYTEST_ARGS)

test-kubernetes: $(VENV)/.dev ## all tests of k8s/, and other people's validators on it and on the Dockerfile
	@sh scripts/install-test-system.sh
	$(BIN)/python -m pytest -m "validators or not validators" tests/k8s $(PYTEST_ARGS)

test-cluster: $(VENV)/.dev ## build Kubernetes from source, start a cluster of one node, apply the overlays, break what runs (as root; 20 minutes at first)
	@sh scripts/install-test-system.sh cluster
	$(BIN)/python -m pytest -n0 -m cluster -o log_cli=true -o log_cli_level=INFO tests/cluster $(PYTEST_ARGS)

check: $(VENV)/.dev node_modules/.installed build/typing/sightline ## style, types (the browser's code too), migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy build/typing/sightline cameras inference streaming tests benchmarks scripts
	node_modules/.bin/prettier --check --log-level warn $(BROWSER)
	node_modules/.bin/eslint $(BROWSER)
	node_modules/.bin/tsc -p .
	DATA_DIR=build/check $(BIN)/python manage.py makemigrations --check --dry-run
	DATA_DIR=build/check HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING

measure: $(VENV)/.dev ## measure the shape of the code: folders, names, functions, the doors that a frame passes
	@$(BIN)/python scripts/measure.py --doors

format: $(VENV)/.dev node_modules/.installed ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	node_modules/.bin/prettier --write --log-level warn $(BROWSER)

bench: $(VENV)/.dev ## measure frame age, throughput, cost per viewer and recovery, and print them
	$(BIN)/python -m benchmarks.age
	$(BIN)/python -m benchmarks.viewers
	$(BIN)/python -m benchmarks.wall
	$(BIN)/python -m benchmarks.uploads
	$(BIN)/python -m benchmarks.outages
	$(BIN)/python -m benchmarks.infer
	$(BIN)/python -m benchmarks.records
	$(BIN)/python -m benchmarks.sizing

faults: $(VENV)/.dev ## break cameras, Kafka, viewers, models and stores, one after the other, and write docs/faults.md
	@sh scripts/install-test-system.sh
	$(BIN)/python -m tests.faults

soak: $(VENV)/.dev ## for an hour, with memory: is it flat, also when a viewer stops reading and in the browser?
	$(BIN)/python -m benchmarks.soak --seconds 1800
	$(BIN)/python -m pytest -n0 -m soak tests/faults
	$(BIN)/python -m benchmarks.age --seconds 300
	$(BIN)/python -m benchmarks.stopped
	$(BIN)/python -m benchmarks.wall --seconds 600

screenshots: $(VENV)/.dev ## make the pictures in docs/ anew, in a real Chromium
	@sh scripts/install-test-system.sh
	$(BIN)/python scripts/screenshots.py

lock: $(VENV)/.dev ## write requirements.lock and requirements-dev.lock from the ranges
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate requirements.txt -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate requirements-dev.txt -o requirements-dev.lock

clean: ## remove what was built; data/ stays
	rm -rf $(VENV) node_modules .cache build .mypy_cache .ruff_cache .pytest_cache

# mypy knows platform/ by the name that it is imported under.
build/typing/sightline:
	@mkdir -p build/typing
	@ln -sfn ../../platform $@

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit("Sightline needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv

# They look at the browser's code; neither the pages nor a container needs them.
node_modules/.installed: package-lock.json
	@npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(VENV)/.run: requirements.lock | $(VENV)/bin/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/bin/uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.lock
	@touch $@ $(VENV)/.run
