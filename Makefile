# `make` prints what there is. Needs python3 (3.11 or newer; PYTHON=... names another) and make.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
# Most tests wait more than they work, so there are more of them at once than cores. Those that
# run the whole system do so in two processes, and those of the node, which fork, in one.
SIDE_BY_SIDE ?= -n 6 --dist loadfile
SCENARIOS := tests/scenario
MACHINE := tests/embedded/kubelet tests/differential/test_pods.py tests/local tests/fault
ON_A_CLUSTER := tests/kube
SHORT_ON_A_CLUSTER := $(addprefix tests/scenario/test_,conversations.py runs.py killing.py) $(addprefix tests/kube/test_,admission.py attacks.py exhaustion.py tenants.py)
KILLS ?= 1000
RESTARTS ?= 100
FAULTS ?= 2
CHANNELS ?= web slack telegram discord
MINUTES ?= 20
WARM_UP ?= 900
REGISTRY ?= localhost
TAG ?= dev
FIRST_QUESTION ?= which pods run here?

.DEFAULT_GOAL := help
.PHONY: help up down clean installed check types habits test scenarios machine channels images first-install test-kube fault fault-long fuzz model crds bench growth handover recovery comparison fairness soak lock

help: ## print this list
	@echo 'Sympozium: AI agents on Kubernetes, reached from chat.'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'
	@echo
	@echo 'Variables: PYTHON=python3.11, SYMPOZIUM_PORT=8400, SYMPOZIUM_HOME=~/.local/state/sympozium,'
	@echo 'OPENAI_API_KEY, OPENAI_BASE_URL, SYMPOZIUM_MODEL (without a key a demonstration model answers).'

up: ## install what is missing, start the system, ask it its first question
	@echo 'Sympozium'
	@$(PYTHON) local/install.py
	@$(RUN)/sympozium up --background --ask '$(FIRST_QUESTION)'

down: ## stop the system; what it keeps is there at the next start
	@if [ -x $(RUN)/sympozium ]; then $(RUN)/sympozium down; else echo 'Nothing is installed here, so nothing runs.'; fi

clean: ## stop the system and delete all that it keeps
	@if [ -x $(RUN)/sympozium ]; then $(RUN)/sympozium clean --yes; else echo 'Nothing is installed here.'; fi

installed: ## make .venv hold what the lock file says
	@$(PYTHON) local/install.py

check: installed ## lint, types, import arrows, habits, generated files
	@$(MAKE) --no-print-directory -j2 --output-sync=target types habits

types: installed ## what mypy says
	@$(RUN)/mypy
	@$(RUN)/mypy tests local/install.py

habits: installed ## lint, import arrows, generated files, and how our code looks
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check --quiet . || { echo 'run: $(RUN)/ruff format .'; exit 1; }
	@$(RUN)/lint-imports
	@$(RUN)/python -m sympozium_local.crd_files --check
	@$(RUN)/pytest -q tests/habits

test: check ## everything that must pass before a change lands
	@$(RUN)/pytest -q $(SIDE_BY_SIDE) --ignore=tests/habits $(patsubst %,--ignore=%,$(SCENARIOS) $(MACHINE) $(ON_A_CLUSTER))
	@$(MAKE) --no-print-directory -j3 --output-sync=target scenarios machine channels

scenarios: installed ## people's days with the whole system, and what breaks in them
	@$(RUN)/pytest -q -n 2 --dist loadfile $(SCENARIOS)

machine: installed ## the node of one machine, its start and its end, and the short form of the faults
	@$(RUN)/pytest -q $(MACHINE)

channels: installed ## the contract of a channel, for every one of CHANNELS
	@$(RUN)/pytest -q $(SIDE_BY_SIDE) -p sympozium.testing.channels.plugin \
		--pyargs sympozium.testing.channels \
		$(foreach name,$(CHANNELS),--channel=tests.platforms.$(name).driver:make_driver)

images: ## build the containers' images with docker, podman or buildah (REGISTRY TAG BASE BUILDER PUSH=1)
	@PYTHONPATH=local $(PYTHON) -m sympozium_images.make --registry $(REGISTRY) --tag $(TAG) $(if $(BASE),--base $(BASE)) $(if $(BUILDER),--builder $(BUILDER)) $(if $(PUSH),--push)

first-install: installed ## walk a real cluster from nothing to an answer and back to nothing, and print the times
	@$(RUN)/python -m tests.kube.first_install

test-kube: installed ## the suite on a real cluster, started and ended for it (KUBE_NAME=.. names one that stays, KUBE_TESTS=.. some tests, SHORT=1 a few)
	@$(RUN)/python -m tests.kube.run $(if $(KUBE_NAME),--name $(KUBE_NAME) --keep) $(or $(KUBE_TESTS),$(if $(SHORT),$(SHORT_ON_A_CLUSTER)))

fault: installed ## kill at every sync point once (5 minutes); with SEED=.. SECONDS=..: a seeded schedule
	@$(RUN)/python -m $(if $(SEED)$(SECONDS)$(SCHEDULE),tests.fault.seeded $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SCHEDULE),--schedule $(SCHEDULE)),tests.fault.points)

fault-long: installed ## 1,000 kills over all sync points and 100 restarts of the bus (30 minutes)
	@$(RUN)/python -m tests.fault.long --kills $(KILLS) --restarts $(RESTARTS) --seed $(or $(SEED),1) $(if $(WRITE),--write $(WRITE))

fuzz: installed ## show every reader, server and program ten thousand hostile inputs each (15 minutes; FUZZ_EXAMPLES=...)
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-10000} $(RUN)/pytest -q $(SIDE_BY_SIDE) --timeout=1200 tests/fuzz

model: installed ## search every schedule of two messages and FAULTS=2 faults for a broken promise (5 minutes)
	@MODEL_FAULTS=$(FAULTS) $(RUN)/pytest -q $(patsubst loadfile,load,$(SIDE_BY_SIDE)) tests/model

crds: installed ## write helm/sympozium-crds from the types in src/sympozium/contract
	@$(RUN)/python -m sympozium_local.crd_files

bench: installed ## print the numbers, each beside a peer measured in the same run
	@$(RUN)/python -m tests.bench.main_job
	@$(RUN)/python -m tests.bench.channels
	@$(RUN)/python -m tests.bench.replies
	@$(RUN)/python -m tests.bench.reach

growth: installed ## what a message costs beside 0, 1,000 and 10,000 finished runs and 5,000 threads
	@$(RUN)/python -m tests.bench.growth

handover: installed ## how soon another router or controller goes on after a kill -9
	@$(RUN)/python -m tests.bench.handover

recovery: installed ## how long people wait for an answer when a program dies as they ask
	@$(RUN)/python -m tests.fault.recovery --times $(or $(TIMES),20)

comparison: installed ## the same load and faults with the older way to consume messages beside ours
	@$(RUN)/python -m tests.bench.comparison $(if $(SEED),--seed $(SEED))

fairness: installed ## what one tenant's flood costs another
	@$(RUN)/python -m tests.bench.fairness

soak: installed ## fifteen minutes of warm-up and twenty of steady load; fails where memory or answers grow
	@$(RUN)/python -m tests.bench.soak --minutes $(MINUTES) --warm-up $(WARM_UP)

lock: ## write requirements.lock from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo 'cannot write the lock file: uv is not on PATH; install it (pip install uv)' >&2; exit 1; }
	@uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --no-annotate \
		--quiet --no-emit-index-url --no-emit-find-links --python-version 3.11 --output-file requirements.lock
