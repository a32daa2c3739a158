# inspector: `make demo` shows the main job, `make test` proves it; each sets up everything that it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Python keeps what it compiles: each of some thousand starts would compile it again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help longer soak fuzz field field-tools field-guest kernels demo test check lint types layers format bench screenshots recordings compiled tools bench-tools dist lands clean

help:            ## show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP)   ## the question as a real process, under inspection
	@.ci/tools cc
	$(BIN)/inspector demo

compiled: $(STAMP)
	@$(BIN)/python -m compileall -q inspector

tools:
	@.ci/tools cc c++ musl-gcc aarch64-linux-gnu-gcc tmux sshd chromium zsh fish jq zstdcat

# Four workers even on two cores: most of the time is waiting for real processes.
test: $(STAMP) compiled tools   ## the tests, live ones included, in some five minutes on two processors
	$(BIN)/python -m pytest -n 4 --dist loadgroup -m "not longer" $(ARGS)

longer: $(STAMP) compiled tools ## the tests that take long: attacks, containers, far machines, every demo case live
	$(BIN)/python -m pytest -n 4 --dist loadgroup -m longer $(ARGS)

lint: $(STAMP)   ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy strict over package and tests
	$(BIN)/mypy

layers: $(STAMP) ## imports go one way
	$(BIN)/lint-imports

check: lint types layers test longer   ## everything that CI runs

format: $(STAMP) ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

field-tools:
	@.ci/tools cc c++ cmake ninja

# What it builds is kept in FIELD_OLLAMA, else in ~/.cache/shim-inspector-tests.
field: $(STAMP) field-tools   ## real programs: are all their calls counted, is the answer right? (parts: ARGS="--parts small,ollama")
	$(BIN)/python -m tests.field $(ARGS)

field-guest: $(STAMP) field-tools   ## real Ollama of each generation, waited for on Debian's stock 6.1 in a guest
	@.ci/tools qemu-system-x86_64 debootstrap mkfs.ext4
	$(BIN)/python -m tests.guests.field 6.1 $(ARGS)

bench-tools:
	@.ci/tools cc c++ tmux bpftrace gdb htop btop lnav readelf

bench: $(STAMP) compiled bench-tools   ## our figures beside the named peers, in one run
	$(BIN)/python -m tests.bench --json bench.json $(ARGS)

soak: $(STAMP)   ## ten minutes of a busy tree: memory stays level (an hour: ARGS="--for 3600 --json curve.json")
	@.ci/tools cc
	$(BIN)/python -m tests.soak $(ARGS)

fuzz: $(STAMP)   ## 100,000 mutants each of recordings, profiles, ELF files, link maps: no traceback, none slow
	@.ci/tools cc
	$(BIN)/python -m tests.fuzz $(ARGS)

kernels: $(STAMP)   ## what works on Debian's stock kernels 5.10, 6.1, 6.12 and on arm64: guests under qemu, a table
	@.ci/tools cc aarch64-linux-gnu-gcc qemu-system-x86_64 qemu-system-aarch64 debootstrap mkfs.ext4
	$(BIN)/python -m tests.guests.matrix $(ARGS)

screenshots: $(STAMP) ## pictures for the README, made from the demo
	@.ci/tools cc
	$(BIN)/python screenshots/make.py

recordings: $(STAMP)  ## record every demo case anew for machines without a compiler
	@.ci/tools cc
	$(BIN)/python -m inspector.demo.record

dist: $(STAMP)    ## sdist, wheel, and inspector.pyz: one file for any Python from 3.10 on
	@.ci/tools strip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build twine
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python packaging/one_file.py dist/inspector.pyz

lands: dist      ## dist/inspector.pyz in bare user lands of Debian, Ubuntu and musl, with Python and nothing else
	@.ci/tools debootstrap musl-gcc cc
	$(BIN)/python -m tests.lands $(ARGS)

clean:           ## remove what make made
	rm -rf $(VENV) build dist bench.json
