# One place for every command. `make demo` on a fresh machine is the quickest way to see the whole thing.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
HARDWARE := $(shell command -v nvidia-smi >/dev/null 2>&1 && echo cuda || echo cpu)
LOCK ?= locks/$(HARDWARE).txt
# Address of a further index that has CPU builds of torch; docs/operating.md says more.
TORCH_INDEX ?=
CUDA_ONLY := cuda-bindings cuda-pathfinder cuda-toolkit triton nvidia-cublas nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
  nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
  nvidia-nvshmem-cu13 nvidia-nvtx

define CPU_BUILD
import sys, torch; sys.exit(torch.version.cuda is not None)
endef
define TORCH_HINT
hint: this machine has no nvidia-smi, yet the build of torch that pip found is the one for CUDA. It works
      on the CPU, but takes gigabytes. For the CPU build, give pip an index that has one:
      make clean && make setup TORCH_INDEX=<address of the index>   (see docs/operating.md)
endef
export CPU_BUILD TORCH_HINT

.PHONY: help setup demo serve test test-all check bench lock clean clients docker
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 12

setup: .venv/ready weights/ready  ## virtual environment, locked dependencies, network weights

.venv/ready: $(LOCK) pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the $(HARDWARE) set-up from $(LOCK) ..."
	@# torch first and by its exact version: where a CPU build is at hand, this is the line that takes it.
	@$(BIN)/python -m pip install -q --disable-pip-version-check \
	  $(if $(TORCH_INDEX),--extra-index-url "$(TORCH_INDEX)") "$$(grep '^torch==' $(LOCK))"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r $(LOCK)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@test $(HARDWARE) != cpu || $(BIN)/python -c "$$CPU_BUILD" || echo "$$TORCH_HINT"
	@touch $@

weights/ready: .venv/ready $(wildcard models/cards/*.toml) models/fetch.py
	@$(BIN)/python -m models.fetch --into weights
	@touch $@

demo: setup  ## explain and certify a bundled photograph over HTTP; pictures and certificate go to out/
	@$(BIN)/python -m service.demo --out out

serve: setup  ## run the service and print a curl line that works
	@$(BIN)/affidavit serve

# Triton, for tests of the kernels that no GPU takes part in; where it cannot be had they skip aloud.
.venv/kernels: .venv/ready locks/kernels.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r locks/kernels.txt \
	  || echo "hint: no Triton here, so tests of GPU kernels are skipped"
	@touch $@

test: setup .venv/kernels  ## all tests that fit in ten minutes on two cores
	@$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist worksteal

test-all: setup .venv/kernels  ## every test, the long ones too
	@$(BIN)/python -m pytest

check: setup  ## lint, format, types: one strict command
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: setup  ## measure, for hours; each program writes its JSON, pictures and page
	@$(BIN)/python -m bench.certificates --kept out/kept
	@$(BIN)/python -m bench.attributions --into out/attributions
	@$(BIN)/python -m bench.arithmetic
	@$(BIN)/python -m bench.norms
	@$(BIN)/python -m bench.invariance
	@$(BIN)/python -m bench.soundness
	@$(BIN)/python -m bench.decoys
	@$(BIN)/python -m bench.decoys_cost
	@$(BIN)/python -m bench.decoys_certified
	@$(BIN)/python -m bench.scale
	@$(BIN)/python -m bench.tradeoff_attacks
	@$(BIN)/python -m bench.tradeoff --kept out/kept
	@$(BIN)/python -m bench.throughput --into out/throughput
	@$(BIN)/python -m bench.served
	@$(BIN)/python -m bench.load

clients: setup  ## write openapi.json anew and generate the Python and TypeScript clients
	@$(BIN)/python tools/write_openapi.py openapi.json
	@$(BIN)/openapi-python-client generate --path openapi.json --meta none --overwrite --fail-on-warning \
	  --config clients/python/generator.yaml --output-path clients/python/affidavit_client
	@if command -v npm >/dev/null; \
	 then cd clients/typescript && npm ci --silent && npm run -s generate && npm run -s check && npm run -s lint; \
	 else echo "hint: no npm here, so the TypeScript client was not generated"; fi

docker:  ## build the image for this machine's hardware; `docker compose up` runs it
	docker build --target $(HARDWARE) --build-arg TORCH_INDEX="$(TORCH_INDEX)" -t affidavit:$(HARDWARE) .

lock:  ## resolve the locked dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  -c <(echo torch==2.13.0) -o locks/cuda.txt pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  -c <(echo torch==2.13.0) $(CUDA_ONLY:%=--no-emit-package %) -o locks/cpu.txt pyproject.toml

clean:  ## remove everything that set-up and the demo made
	rm -rf .venv weights out .mypy_cache .ruff_cache .pytest_cache
	rm -rf clients/python/affidavit_client clients/typescript/affidavit clients/typescript/built clients/typescript/node_modules
