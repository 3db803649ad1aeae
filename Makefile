# Every target does its own set-up. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down test check local contracts format lint types bench chaos containers clean scan sbom audit
SHELL := /bin/bash
BIN := .venv/bin
export PYTHONWARNINGS ?=

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv from uv.lock (needs Python 3.11+ and a package index)
	@libs/devstack/bin/bootstrap

demo: setup ## replay 31,106 real shop events through the whole platform and watch segments come out
	@$(BIN)/python -m cdp_devstack.demo

up: setup ## the platform on embedded servers, left running (Ctrl-C or `make down` ends it)
	@$(BIN)/python -m cdp_devstack.up

down: ## end what `make up` left running
	@$(BIN)/python -m cdp_devstack.down

local: setup ## the platform on Apache Kafka, a Mongo-wire server and redis-server
	@$(BIN)/python -m cdp_devstack.install
	@$(BIN)/python -m cdp_devstack.up --kind local

test: setup ## every test that needs only Python (in memory and on embedded servers)
	@$(BIN)/python -m cdp_devstack.levels test

check: setup lint types scan sbom ## everything CI demands, on the local servers too
	@$(BIN)/python -m cdp_devstack.install
	@$(BIN)/python -m cdp_contracts.generate --check
	@$(BIN)/python -m infra.generate --check
	@$(BIN)/lint-imports
	@$(BIN)/python -m cdp_devstack.levels check

contracts: setup ## regenerate schemas, topics, ACLs, AsyncAPI, graphs, manifests and tables of settings
	@$(BIN)/python -m cdp_contracts.generate
	@$(BIN)/python -m infra.generate

format: setup ## format and fix what can be fixed
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lint: setup ## ruff, formatting included
	@echo "· ruff" && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .

types: setup ## strict mypy on all sources
	@echo "· mypy" && $(BIN)/mypy contracts/src libs/*/src services/*/src && $(BIN)/mypy -p infra.generate

scan: setup ## look for unsafe code and for secrets
	@echo "· bandit" && $(BIN)/bandit --quiet --configfile pyproject.toml --recursive contracts/src libs/*/src services/*/src
	@echo "· secrets" && $(BIN)/python -m cdp_devstack.secret_scan

sbom: setup ## write build/sbom/<service>.json (CycloneDX); fails for a licence that may not ship
	@echo "· sbom" && $(BIN)/python -m cdp_devstack.sbom

audit: ## known vulnerabilities of what is in uv.lock (asks a service on the network; says so if it cannot)
	@libs/devstack/bin/bootstrap --group audit
	@$(BIN)/python -m cdp_devstack.audit

bench: ## measure, beside peers, in one run; writes build/bench.json
	@libs/devstack/bin/bootstrap --group bench
	@$(BIN)/python -m cdp_devstack.install
	@$(BIN)/python -m tests.bench

SEEDS ?= 1-20
chaos: setup ## seeded stories while roles and servers come to harm, held against an oracle (SEEDS=1-20)
	@$(BIN)/python -m cdp_devstack.install
	@$(BIN)/python -m tests.chaos --seeds $(SEEDS)

containers: setup ## build the images, bring the compose file up, replay against it while roles die (needs Docker)
	@$(BIN)/python -m tests.containers.run

clean: ## remove what was built here (not the caches of downloads)
	@rm -rf .venv .uv build .run .mypy_cache .ruff_cache .pytest_cache
