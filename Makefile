# Engram: every target is one intention, the same for people and for CI. `make help` lists them.

BOARD  ?= qemu_m4f
VENV   := build/venv
PY     := $(VENV)/bin/python
ENGRAM := $(VENV)/bin/engram
TORCH  ?= build/venv-torch
TORCH_IS ?= torch==2.13.0
AVALANCHE ?= build/venv-avalanche
ONNX   ?= build/venv-onnx
ONNX_IS ?= onnx==1.23.2 onnxruntime==1.31.1
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help journeys bench bench-models bench-budget bench-unlabelled bench-defaults bench-torch pico-profile test-boards bench-store bench-continual bench-avalanche matrix setup demo test test-quick test-torch test-onnx test-kill test-power fuzz lint firmware kernels natmod sizes sizes-diff dist clean

## List the targets
help:
	@echo "Engram: on-device continual learning for microcontrollers"; echo
	@awk '/^## /{h=substr($$0,4); getline; sub(/:.*/,""); printf "  make %-12s %s\n", $$0, h}' Makefile
	@echo; echo "  BOARD=$(BOARD)   the virtual board of demo and firmware: qemu_m4f, ... (engram boards)"
	@echo "  ARCH=...         an architecture of .mpy files; firmware/natmod/README.md lists them"
	@echo "  MICROPY_DIR=...  a MicroPython source tree of your own, 1.23 or later"

## Install what is missing: Debian packages, Python packages, the MicroPython source
setup:
	@host/bootstrap/debian.sh $(if $(filter virtual_pico%,$(BOARD)),pico)
	@$(MAKE) kernels
	@$(PY) host/bootstrap/micropython.py >/dev/null

## Let a virtual board learn handwritten digits; writes out/demo/report.html
demo: setup
	@$(ENGRAM) demo --port $(BOARD)
	@echo; echo "To have the command engram in this shell:  . $(VENV)/bin/activate"

## Run every test, on this computer and on the virtual boards
test: setup
	@$(ENGRAM) build unix
	@$(ENGRAM) build unix --stock
	@$(ENGRAM) build qemu_m4f
	@$(ENGRAM) build qemu_m3
	@$(ENGRAM) build qemu_m0p
	@for board in qemu_m33 qemu_m55 qemu_m4f_stock; do $(ENGRAM) build $$board || exit 1; done
	@{ host/bootstrap/debian.sh pico && $(ENGRAM) build virtual_pico; } || echo "engram: no virtual_pico; its tests fail, or skip and say why"
	@$(PY) -m pytest -n auto --dist loadfile  # a file's boards are its worker's own

## Run the tests that need no board, some two minutes on two cores
test-quick: setup
	@$(PY) -m pytest -q -n auto -m "not board and not slow"

## Check gradients and imported modules against PyTorch, in an environment of its own
test-torch: kernels
	@test -x $(TORCH)/bin/pytest || { python3 -m venv $(TORCH) && $(TORCH)/bin/pip install -q "$(TORCH_IS)" numpy pytest; }
	@$(TORCH)/bin/python -c "import safetensors, tflite" 2>/dev/null || $(TORCH)/bin/pip install -q safetensors tflite
	@$(TORCH)/bin/python -m pytest -q tests/autograd

## Check every int8 kernel against onnxruntime, in an environment of its own
test-onnx: kernels
	@test -x $(ONNX)/bin/pytest || { python3 -m venv $(ONNX) && $(ONNX)/bin/pip install -q $(ONNX_IS) numpy safetensors pytest; }
	@$(ONNX)/bin/python -m pytest -q tests/qlinear $(if $(DOCS),--docs)

## Run the thorough tests, device tests and demo on every virtual board (BOARDS="a b", BUDGET=60 minutes); out/bench/boards.json
test-boards: setup
	@$(if $(filter virtual_pico,$(or $(BOARDS),virtual_pico)),host/bootstrap/debian.sh pico || true)  # told below
	@$(if $(BOARDS),,$(ENGRAM) build qemu_m4f_stock)
	@$(if $(BOARDS),,$(ENGRAM) build virtual_pico_stock || echo "engram: no virtual_pico_stock; its tests skip and say why")
	@$(if $(BOARDS),,$(PY) -m pytest -q -m thorough)
	@$(PY) tests/fleet/run.py $(BOARDS) --budget $(or $(BUDGET),60) $(if $(DOCS),--docs)

## Kill the virtual board KILLS times at random instants (SEED=1, BUDGET=minutes, FORMAT=q8); out/bench/kills.json
test-kill: setup
	@$(ENGRAM) build $(BOARD)
	@$(PY) tests/power/run_kills.py --kills $(or $(KILLS),500) --seed $(or $(SEED),1) --board $(BOARD) \
		$(if $(FORMAT),--format $(FORMAT)) $(if $(BUDGET),--budget $(BUDGET)) $(if $(DOCS),--docs)

## Cut the power of a simulated flash, and of each recovery, for BUDGET=10 minutes (SEED=1)
test-power: setup
	@$(PY) tests/power/run_power.py --budget $(or $(BUDGET),10) --seed $(or $(SEED),1) \
		$(if $(DOCS),--docs)

## Import damaged and hostile model files for BUDGET=60 seconds (SEED=1, KIND=tflite, onnx or pt2)
fuzz: kernels
	@$(PY) tests/importer/fuzz.py --budget $(or $(BUDGET),60) --seed $(or $(SEED),1) $(if $(KIND),--kind $(KIND))

## Check style, and the types of the host part
lint: setup
	@$(PY) -m ruff check --output-format=concise .
	@$(PY) -m mypy

## Build the firmware of one virtual board
firmware: setup
	@$(ENGRAM) build $(BOARD)

## Build the C kernels for this computer's Python
kernels:
	@host/bootstrap/venv.sh $(VENV)
	@$(PY) setup.py -q build_ext --inplace

## Count the kernels' instructions on the virtual board; writes out/bench/kernels.json
bench: setup
	@$(ENGRAM) build qemu_m4f
	@$(PY) tests/bench/run.py $(if $(DOCS),--docs)
	@for board in qemu_m7 qemu_m33 qemu_m55 qemu_m3 qemu_m0p; do $(ENGRAM) build $$board || exit 1; done
	@$(PY) tests/bench/integer.py $(if $(DOCS),--docs)
	@$(PY) tests/bench/cost_kernels.py  # what engram plan predicts time and energy from

## Count the reference models of MLPerf Tiny (ENGRAM_DATA) by layer on every emulated board; out/bench/models.json
bench-models: setup
	@for board in $(or $(BOARDS),qemu_m4f qemu_m0p qemu_m3 qemu_m33 qemu_m55 qemu_m7); do $(ENGRAM) build $$board || exit 1; done
	@$(PY) tests/bench/models.py $(BOARDS) $(if $(DOCS),--docs)

## Where the cycles of a training step go on the virtual Pico; writes out/bench/pico_profile.json
pico-profile: setup
	@host/bootstrap/debian.sh pico
	@$(PY) tests/bench/pico_profile.py

## Compare every kernel on every host and virtual board; writes out/bench/parity.json
matrix: setup
	@for board in unix qemu_m4f qemu_m3 qemu_m0p qemu_m7 qemu_m33 qemu_m55; do \
		$(ENGRAM) build $$board || exit 1; done
	@$(PY) tests/parity/matrix.py $(if $(DOCS),--docs)

## Accuracy, flash, RAM and instructions of continual learning, for BUDGET minutes (30); AGAIN="ar1 ewc": those anew
bench-continual: kernels
	@$(PY) tests/bench/continual/run.py --budget $(or $(BUDGET),30) $(if $(SMALL),--small) $(if $(DOCS),--docs) $(if $(AGAIN),--again $(AGAIN))

## Avalanche on the same latents, in an environment of its own; writes out/bench/peers
bench-avalanche: kernels
	@test -x $(AVALANCHE)/bin/pip || python3 -m venv $(AVALANCHE)
	@$(AVALANCHE)/bin/python -c "import importlib.metadata as m; m.version('avalanche-lib')" 2>/dev/null || $(AVALANCHE)/bin/pip install -q "$(TORCH_IS)" "avalanche-lib==0.6.0"
	@$(PY) tests/bench/continual/peers_export.py out/bench/peers
	@$(AVALANCHE)/bin/python tests/bench/continual/peers_avalanche.py out/bench/peers --budget $(or $(BUDGET),30)

## Accuracy of the defaults in six situations, beside tuned settings; writes out/bench/defaults.json
bench-defaults: kernels
	@$(PY) tests/bench/continual/defaults.py $(if $(AGAIN),--again) $(if $(DOCS),--docs)

## Learning on a budget: formats, partial updates, steps, the search, for BUDGET minutes (60), ONLY one part; out/bench/budget
bench-budget: kernels
	@$(PY) tests/bench/budget/campaign.py --budget $(or $(BUDGET),60) $(if $(SMALL),--small) $(if $(DOCS),--docs) \
		$(if $(ONLY),--only $(ONLY)) $(if $(AGAIN),--again $(AGAIN))

## Learning without labels: few labels, the cost of a VAE, for BUDGET minutes (60), ONLY one part; out/bench/unlabelled
bench-unlabelled: kernels
	@$(PY) tests/bench/unlabelled/unlabelled_run.py --budget $(or $(BUDGET),60) $(if $(SMALL),--small) $(if $(DOCS),--docs) \
		$(if $(ONLY),--only $(ONLY)) $(if $(AGAIN),--again $(AGAIN))

## PyTorch in the same six situations, in an environment of its own; writes out/bench/torch_replay.json
bench-torch: kernels
	@test -x $(TORCH)/bin/pytest || { python3 -m venv $(TORCH) && $(TORCH)/bin/pip install -q "$(TORCH_IS)" numpy pytest; }
	@$(PY) tests/bench/continual/situations_export.py out/bench/situations
	@$(TORCH)/bin/python tests/bench/continual/torch_replay.py out/bench/situations out/bench/torch_replay.json

## Walk the journeys of newcomers in fresh clones; DOCS=1 writes docs/journeys.md
journeys: setup
	@$(PY) tests/journeys/run.py $(JOURNEYS) $(if $(DOCS),--docs)

## Wear, write amplification and fairness of the replay store; writes out/bench/store.json
bench-store: kernels
	@$(ENGRAM) build qemu_m4f
	@$(PY) tests/bench/store_wear.py $(if $(DOCS),--docs)
	@$(PY) tests/bench/store_mount.py $(if $(DOCS),--docs)

## Build the kernels as .mpy files, for one ARCH or for every one whose compiler is here
natmod: setup
	@$(PY) firmware/natmod/natmod_build.py $(ARCH)

## Bytes of code and stack of every kernel and of every .mpy; writes out/sizes.csv
sizes: setup
	@$(PY) firmware/natmod/natmod_sizes.py

## Compare the sizes with docs/sizes.csv; fails on growth beyond the budget
sizes-diff: setup
	@$(PY) firmware/natmod/natmod_sizes.py --diff

## Make a release: build/dist/engram-<version>.tar.gz, to install from without a compiler
dist: setup
	@$(PY) firmware/tools/dist.py $(if $(DOCS),--docs) $(ARCH)

## Remove what was built here (the cached MicroPython source stays)
clean:
	rm -rf build dist out device_lib/*.egg-info device_lib/_engram*.so
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
