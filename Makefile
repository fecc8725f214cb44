# The user's commands. `make help` lists them.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
# The first interpreter that is new enough; PYTHON=… chooses another.
PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3 python,$(shell \
	$(name) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info < (3, 14)))' 2>/dev/null && echo $(name))))
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The URL of PyTorch's own wheels, as pytorch.org prints it for a CPU-only or a CUDA build.
TORCH_INDEX ?=
# The notebook that `make lab` opens a copy of.
NOTEBOOK ?= 01_workbench

.DEFAULT_GOAL := help
.PHONY: help lab test test-slow report bench notebooks check screenshot browser download-size clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.lab: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "The workbench needs Python 3.11, 3.12 or 3.13, and none was found. Install one and run 'make $(MAKECMDGOALS)' again, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments. On Debian and Ubuntu: apt install python3-venv; then run 'make $(MAKECMDGOALS)' again."; exit 1; }
	@test -x $(BIN)/python || echo "Creating $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@echo "Installing the workbench: two to five minutes the first time, for about 0.45 GB with the CPU build of torch"
	@echo "or several GB with CUDA (README says how to choose) …"
	@$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet --disable-pip-version-check --index-url $(TORCH_INDEX) torch,:)
	@$(INSTALL) -e .
	@touch $@
	@echo "Installed."

$(VENV)/.test: $(VENV)/.lab
	@echo "Installing what the tests need: less than a minute …"
	@$(INSTALL) -e '.[test]'
	@touch $@
	@echo "Installed."

$(VENV)/.bench: $(VENV)/.test
	@echo "Installing what the benchmarks compare with: less than a minute …"
	@$(INSTALL) -e '.[bench]'
	@touch $@
	@echo "Installed."

lab: $(VENV)/.lab  ## open the workbench on the embedded cohort in JupyterLab
	@echo "Making the embedded cohort, unless it is there: up to 20 seconds …"
	@$(BIN)/workbench cohort phantom > /dev/null
	@echo "Starting JupyterLab: some seconds …"
	@$(BIN)/workbench lab --folder notebooks/my --notebook $(NOTEBOOK)

browser: $(VENV)/.test
	@$(BIN)/python -m tests.browser.find_browser

test: $(VENV)/.test browser check  ## set everything up, check the style and run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.test browser  ## the tests that take longer: kills, full-size data
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.test  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

report: $(VENV)/.lab  ## run the workbench notebook into one HTML that shows its pictures offline
	$(BIN)/python -m workbench.reports.render notebooks/01_workbench.ipynb reports/workbench.html

bench: $(VENV)/.bench browser  ## the benchmarks: ratios within one run
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -s

notebooks: $(VENV)/.test  ## run the notebooks at full size, with time and memory
	$(BIN)/python -m pytest tests/notebooks -m slow -s

screenshot: $(VENV)/.test browser  ## make the README's screenshot
	$(BIN)/python -m tests.browser.screenshot docs/workbench.png

download-size: $(VENV)/.lab  ## print how much the set-up downloads
	@folder=$$(mktemp -d) && $(BIN)/python -m pip download --quiet --disable-pip-version-check -c constraints.txt -d $$folder . 2>/dev/null && du -sh $$folder | cut -f1; rm -rf $$folder

clean:  ## remove the environment and what tests left behind
	rm -rf $(VENV) artifacts .pytest_cache .mypy_cache .ruff_cache
