# make study     environment, then the whole study at the scale of config.yaml, then its summary
# make experiments  every experiment of config.yaml at that scale, the seeds of a variant trained as one model
# make published_table  IRED's Table 1 beside reference predictors and trained networks, in a minute
# make test      all tests that need no extra server          make lint     style, types, rules
# make figures   every figure that tables at hand allow       make bench    speed of a training step, cost of the view
# make soak      a study under random faults on a pretended cluster; MINUTES=20 SEED=0
# make lock      resolve requirements.lock anew
# make doctor    is this cluster ready?                       make clean-results   asks, then deletes results and checkpoints
# make help      this list
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake --profile profiles/local
EXPERIMENTS := $(shell sed -n '/^experiments:/,$$ s/^  \([a-z_0-9]*\):$$/\1/p' config.yaml)
# The rules that draw, one for each experiment.
DRAW := $(EXPERIMENTS:%=draw_%) draw_worth

# Sentences above, and nothing else.
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

.PHONY: help lock study experiments test test-slurm test-slurm-all soak doctor lint figures published_table bench workflow-graph clean-results environment

environment: $(VENV)/.installed

# The lock has no hashes: CPU and CUDA builds of torch share a version.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing pinned dependencies into $(VENV) (once; about 1.7 GB, some minutes)"
	@$(BIN)/python -m pip install --progress-bar=on --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# The resolver's answer, without what merely happens to be installed; without hashes and local labels, since CPU and CUDA builds of torch
# share a version.
RESOLVED := import json, sys; print("\# Resolved by `make lock` from requirements.in and requirements-dev.in; do not edit."); \
  [print(n + "==" + v.split("+")[0]) for n, v in sorted(((i["metadata"]["name"], i["metadata"]["version"]) for i in json.load(sys.stdin)["install"]), key=lambda x: x[0].lower())]

lock: environment
	$(BIN)/python -m pip install --dry-run --ignore-installed --quiet --report - -r requirements.in -r requirements-dev.in 2>/dev/null \
	  | $(BIN)/python -c '$(RESOLVED)' > requirements.lock.new
	mv requirements.lock.new requirements.lock

study: environment
	@$(SNAKEMAKE) all
	@$(BIN)/python -m ired summary

experiments: environment
	@$(SNAKEMAKE) experiments --config seeds_per_job=3

figures: environment
	@$(SNAKEMAKE) figures --allowed-rules figures $(DRAW)
	@ls -d results/*/figures/* results/shipped/*/figures/* 2>/dev/null || true

published_table: environment
	@$(SNAKEMAKE) published_table
	@cat results/published_table/published_table.md

test: environment
	$(BIN)/python -m pytest -m "not slurm and not slurm_full" -n 2 --dist loadfile

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy

bench: environment
	$(BIN)/python benchmarks/training_step.py --network equivariant --threads 1
	$(BIN)/python benchmarks/training_step.py --size laptop_mlp --threads 1
	$(BIN)/python benchmarks/training_step.py --size paper
	$(BIN)/python benchmarks/startup.py --scale laptop
	$(BIN)/python benchmarks/view.py

test-slurm: environment
	$(BIN)/python -m pytest -m slurm tests/slurm -rs

test-slurm-all: environment
	$(BIN)/python -m pytest -m "slurm or slurm_full" tests/slurm -rs

MINUTES ?= 20
SEED ?= 0

soak: environment
	$(BIN)/python tests/slurm/soak.py --minutes $(MINUTES) --seed $(SEED)

doctor: environment
	@$(BIN)/python -m ired doctor

# The picture in the report; needs graphviz.
workflow-graph: environment
	$(SNAKEMAKE) all --rulegraph 2>/dev/null \
	  | sed 's/graph\[bgcolor=white, margin=0\]/graph[bgcolor=transparent, margin=0, rankdir=LR, nodesep=0.2, ranksep=0.35]/' \
	  | dot -Tsvg > docs/workflow.svg

clean-results:
	@read -p "delete every result of this checkout, checkpoints (results/.state) among them? [y/N] " answer; [ "$$answer" = y ]
	find results -mindepth 1 -maxdepth 1 -type d ! -name published ! -name shipped -exec rm -rf {} +
	rm -rf results/shipped/*/figures results/shipped/*/logs
