# One line over the real tool for each target; `make` alone lists them. On a fresh machine they need only
# Python 3.10 to 3.13 (with its venv module) and make.

PYTHON ?= python3
# Given to the tool behind the target: make run-jobs ARGS="--only tutorial", make test ARGS="-e py312"
ARGS ?=
# What builds and runs the image: docker or podman. SOURCE is the address of the source, for its label.
CONTAINER ?= docker
SOURCE ?=
# How a container is given the GPUs: podman takes --device nvidia.com/gpu=all.
GPUS ?= --gpus all

# pyenv's python3.10 to python3.13 answer only for the versions that are switched on: switch on all of them.
PYENV = $(shell pyenv versions --bare 2>/dev/null | grep -xE '3\.1[0-3]\.[0-9]+' | tr '\n' ':')system
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes \
	--no-config --custom-compile-command "make lock" $(ARGS)
# What dependencies ask for and the job never imports: it is not in the image. tests/docker finds out.
UNUSED = contourpy google-pasta importlib-metadata importlib-resources lazy-importer libclang \
	markdown-it-py mdurl pyasn1 pyasn1-modules pycparser pygments regex setuptools tzdata wheel zipp
IMAGE = --constraints requirements/runtime.txt $(UNUSED:%=--no-emit-package %) --extra data --extra subwords --extra s3 \
	--extra gcs pyproject.toml

INTEGRATIONS = --extra subwords --extra export --extra s3 --extra mlflow pyproject.toml

BUILD = $(CONTAINER) build -f docker/Dockerfile \
	--build-arg VERSION="$$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' job/__init__.py)" \
	--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null)" --build-arg SOURCE="$(SOURCE)"

.PHONY: help install install-dev run-jobs test lint bench gpu-check image image-gpu run-image image-gpu-check docs lock clean

help:  ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

install: .venv/runtime  ## Make .venv: what the job needs, from the lock file with its hashes, and this package.

install-dev: .venv/development  ## Add to .venv what the tests, lint, benchmarks and locks need.

run-jobs: install  ## Run jobs.yaml; results in output/. Fails as the job does (make says "Error N" and exits 2).
	.venv/bin/seq2seq-job --spec jobs.yaml $(ARGS)

test: install-dev  ## Run the tests on every Python found, lint and types, under tox; it says what it skipped.
	PYENV_VERSION="$(PYENV)" .venv/bin/tox run $(ARGS)

lint: install-dev  ## Check style, format and types.
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

bench: install-dev  ## Time it against the tutorial's program, plain Keras, PyTorch, JAX, yoyodyne; ARGS="--only tutorial" for a part.
	.venv/bin/python -m benchmarks $(ARGS)

gpu-check: install-dev  ## Check the GPU path on this machine's GPUs, then time it beside PyTorch; says so without one.
	@if ls /dev/nvidia[0-9]* >/dev/null 2>&1; then $(MAKE) .venv/cuda; fi
	.venv/bin/python -m benchmarks.gpu_check $(ARGS)

image:  ## Build the container image seq2seq-job (CONTAINER=docker or podman).
	$(BUILD) -t seq2seq-job $(ARGS) .

image-gpu:  ## The same with CUDA, for NVIDIA's GPUs: seq2seq-job:latest-gpu.
	$(BUILD) --build-arg GPU=1 -t seq2seq-job:latest-gpu $(ARGS) .

run-image:  ## Run jobs.yaml in the container image: reads and writes this directory, as you.
	$(CONTAINER) run --rm --user "$$(id -u):$$(id -g)" --volume "$(CURDIR):/workspace" seq2seq-job $(ARGS)

image-gpu-check:  ## The checks of gpu-check with what is installed in the GPU image, which `make image-gpu` has built.
	$(CONTAINER) build -f docker/Dockerfile.gpu-check -t seq2seq-job:gpu-check $(ARGS) .
	$(CONTAINER) run --rm $(GPUS) --user "$$(id -u):$$(id -g)" --volume "$(CURDIR):/workspace" seq2seq-job:gpu-check

docs: install-dev  ## Write the reference pages of docs/ anew from the code.
	.venv/bin/python docs/generate.py

lock: install-dev  ## Write requirements/ anew from pyproject.toml; ARGS="--upgrade" takes the newest of everything.
	$(COMPILE) -o requirements/runtime.txt --constraints requirements/constraints.in --extra data --extra subwords pyproject.toml
	$(COMPILE) -o requirements/dev.txt --extra data --extra subwords --extra store --extra dev --constraints requirements/runtime.txt pyproject.toml
	$(COMPILE) -o requirements/bootstrap.txt --group pyproject.toml:bootstrap --constraints requirements/dev.txt
	$(COMPILE) -o requirements/image-cpu.txt --group image-cpu --no-emit-package tensorflow $(IMAGE)
	$(COMPILE) -o requirements/image-gpu.txt --extra gpu $(IMAGE)
	$(COMPILE) -o requirements/image-tools.txt --group pyproject.toml:image-tools
	$(COMPILE) -o requirements/image-gpu-check.txt --group pyproject.toml:image-gpu-check --constraints requirements/dev.txt
	$(COMPILE) -o requirements/image-tensorboard.txt --group pyproject.toml:image-tensorboard
	$(COMPILE) -o requirements/integrations.txt --group pyproject.toml:integrations $(INTEGRATIONS)

clean:  ## Remove what the targets made, but for results (output/).
	rm -rf .venv .venv-peers .tox .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info

# pip brings uv, which installs the rest in a quarter of the time. Bytecode is compiled at once: TensorFlow takes
# seconds more to import without. To change PYTHON for a .venv that is there, `make clean` first.
UV = .venv/bin/uv --no-config pip install --python .venv/bin/python --no-python-downloads

.venv/bootstrap: requirements/bootstrap.txt
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --require-hashes -r requirements/bootstrap.txt
	touch $@

.venv/runtime: .venv/bootstrap pyproject.toml requirements/runtime.txt
	$(UV) --compile-bytecode --require-hashes -r requirements/runtime.txt
	$(UV) --no-deps --no-build-isolation --editable .
	touch $@

.venv/development: .venv/runtime requirements/dev.txt
	$(UV) --compile-bytecode --require-hashes -r requirements/dev.txt
	touch $@

# CUDA and cuDNN for .venv: gigabytes, and only for a machine with a GPU.
.venv/cuda: .venv/development requirements/image-gpu.txt
	$(UV) --compile-bytecode --require-hashes -r requirements/image-gpu.txt
	touch $@
