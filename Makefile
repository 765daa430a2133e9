# geomill's commands; `make` alone lists them. What needs more than a line is in ops/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export GEOMILL_HOME ?= $(CURDIR)/.geomill
PYTHON := .venv/bin/python
# Made when .venv holds what requirements.lock says.
VENV := .venv/.complete
DOCKER := ops/docker.sh

ENGINE ?= local
ROLE ?= owner
N ?= 2
ARGS ?=
MINUTES ?= 10
SEED ?=
CONFIRMED = $(if $(filter yes,$(CONFIRM)),--confirm)

ifeq ($(filter $(ENGINE),local docker),)
$(error ENGINE is $(ENGINE); it can be local (the default) or docker)
endif

.PHONY: help up down dsn deploy plan rollback verify rebuild redeploy-app redeploy-pgstac stac-clear pgtap workers status psql consistency bench check demo test
.PHONY: chaos clean test-all

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  ROLE=owner|worker|ddh|admin|reader|superuser   N=2   ARGS='…'   ENGINE=local|docker (up, down, dsn, workers, pgtap, clean)"
	@echo "  GEOMILL_DSN, or libpq's PGHOST and friends, name a server to use instead of a cluster of geomill's own."

$(VENV): requirements.lock
	@ops/install.sh venv
	@touch $@

ifeq ($(ENGINE),docker)

up:
	@$(DOCKER) up
down:
	@$(DOCKER) down
dsn:
	@$(DOCKER) dsn $(ROLE)
workers:
	@$(DOCKER) workers $(N)
pgtap:
	@$(DOCKER) pgtap
clean:
	@$(DOCKER) clean

else

up: $(VENV)  ## install what is missing, start the database, deploy; no workers
	@ops/up.sh

down:  ## stop the database; its data stays
	@ops/cluster.sh down

dsn: $(VENV)  ## print the connection string of ROLE (make -s dsn ROLE=ddh)
	@$(PYTHON) -m codegen dsn $(ROLE)

workers: $(VENV)  ## run N worker processes until Ctrl-C (ARGS are theirs)
	@exec $(PYTHON) -m workers --processes $(N) $(ARGS)

pgtap: $(VENV)  ## the SQL tests, in a cluster of their own
	@ops/test.sh pgtap

clean:  ## remove what geomill made here: its cluster WITH ALL DATA, .venv, .geomill
	@ops/clean.sh

endif

deploy: $(VENV)  ## carry out the plan that was read; without one, plan and carry out
	@$(PYTHON) -m codegen deploy $(ARGS)

plan: $(VENV)  ## the steps from the database to the code: locks, hazards, the way back
	@$(PYTHON) -m codegen plan $(ARGS)

rollback: $(VENV)  ## take the last deploy back, or say why not
	@$(PYTHON) -m codegen rollback $(ARGS)

verify: $(VENV)  ## compare the database with what the code says
	@$(PYTHON) -m codegen verify $(ARGS)

rebuild: $(VENV)  ## wipe app and pgstac and make them again; platform, geo, h3 stay (CONFIRM=yes)
	@$(PYTHON) -m codegen rebuild $(CONFIRMED) $(ARGS)

redeploy-app: $(VENV)  ## wipe and make again app alone (CONFIRM=yes)
	@$(PYTHON) -m codegen redeploy-app $(CONFIRMED) $(ARGS)

redeploy-pgstac: $(VENV)  ## wipe and make again pgstac alone, and publish again (CONFIRM=yes)
	@$(PYTHON) -m codegen redeploy-pgstac $(CONFIRMED) $(ARGS)

stac-clear: $(VENV)  ## empty the catalogue: MODE=items or MODE=all (CONFIRM=yes)
	@$(PYTHON) -m codegen stac-clear $(if $(MODE),--mode $(MODE)) $(CONFIRMED) $(ARGS)

status: $(VENV)  ## what is going on, live; printed once where the output is no terminal, or with ARGS=--once
	@exec $(PYTHON) -m ops.status $(ARGS)

psql: $(VENV)  ## psql as ROLE (ARGS are psql's)
	@exec $(PYTHON) -m ops.psql $(ROLE) $(ARGS)

demo: up  ## the whole road: a vector file, a raster, a collection, asked for by the DDH role
	@$(PYTHON) -m demo $(ARGS)

consistency: up  ## do requests, tables, items and files agree? (ARGS=--repair mends what can be mended)
	@$(PYTHON) -m workers.consistency $(ARGS)

bench: up  ## measure the engine against a bare table, vectors against ogr2ogr (ARGS are the benchmark's)
	@$(PYTHON) -m bench $(ARGS)

check: $(VENV)  ## lint, format, types, generated files up to date; seconds, before every commit
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m codegen generate --check
	@if command -v shellcheck >/dev/null; then shellcheck -x ops/*.sh .ci/run; fi

test: $(VENV)  ## the tests, in a cluster and databases of their own (ARGS are pytest's)
	@ops/test.sh all $(ARGS)

test-all: $(VENV)  ## the slow ones, too
	@ops/test.sh all -m '' $(ARGS)

chaos: $(VENV)  ## what kills and crashes the engine, for about MINUTES, from SEED (ARGS are pytest's)
	@seed=$${SEED:-$$RANDOM}; echo "make chaos MINUTES=$(MINUTES) SEED=$$seed"; \
	GEOMILL_CHAOS_MINUTES=$(MINUTES) GEOMILL_CHAOS_SEED=$$seed $(PYTHON) -m pytest tests/py/chaos $(ARGS)
