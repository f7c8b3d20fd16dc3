# Engram: every target is one intention, the same for people and for CI. `make help` lists them.

BOARD ?= qemu_m4f
VENV  := build/venv
PY    := $(VENV)/bin/python
ENGRAM := $(VENV)/bin/engram
PYTEST := $(PY) -m pytest
CPUS  := $(shell nproc 2>/dev/null || echo 2)
export MAKEFLAGS += --no-print-directory

# The firmware is built from this source tree; MICROPY_DIR= names another one (1.23 or later).
with_micropython = MICROPY_DIR="$$($(PY) host/bootstrap/micropython.py)" && export MICROPY_DIR &&

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick lint firmware kernels clean

## List the targets
help:
	@echo "Engram: on-device continual learning for microcontrollers"; echo
	@awk '/^## /{h=substr($$0,4); getline; sub(/:.*/,""); printf "  make %-12s %s\n", $$0, h}' Makefile
	@echo; echo "  BOARD=$(BOARD)   the board of demo and firmware (unix, qemu_m4f)"
	@echo "  MICROPY_DIR=     a MicroPython source tree of your own, 1.23 or later"

## Install what is missing: Debian packages, a virtual environment, the MicroPython source
setup:
	@host/bootstrap/debian.sh
	@host/bootstrap/venv.sh $(VENV)
	@$(MAKE) kernels
	@$(with_micropython) true

## Run the handwritten digits on a virtual board and write out/demo/report.html (BOARD=unix or qemu_m4f)
demo: setup
	@$(with_micropython) $(ENGRAM) demo --port $(BOARD)

## Run every test, on this computer and on the virtual boards
test: setup
	@$(MAKE) firmware BOARD=unix
	@$(MAKE) firmware BOARD=qemu_m4f
	@$(with_micropython) $(PYTEST)

## Run the tests that need no board, in under a minute
test-quick: setup
	@$(PYTEST) -q -m "not board and not slow"

## Check style, and the types of the host part
lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

## Build the firmware of one board (BOARD=unix or qemu_m4f)
firmware: setup
	@$(with_micropython) $(ENGRAM) build $(BOARD)

## Build the C kernels for this computer's Python
kernels:
	@$(PY) setup.py -q build_ext --inplace

## Remove what was built here (the cached MicroPython source stays)
clean:
	rm -rf build dist out device_lib/*.egg-info device_lib/_engram*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
