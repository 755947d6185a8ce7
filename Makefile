# Everything here sets itself up: with python3 (3.11 or newer) and make, `make demo` works on a fresh checkout.
# PYTHON=python3.13 make test   takes another Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest --dist loadfile --durations 25

# Bytecode saves two seconds in each of the hundreds of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-integrations check sbom lock install-locked train-extra deep-extra engines-extra editors-extra \
	screenshots format clean

help:
	@echo "make demo               score the example articles and show the words that give a machine away"
	@echo "make test               run the quick tests (under 6 minutes on two cores)"
	@echo "make test-integrations  run the tests with browsers, clusters, servers and an installed wheel"
	@echo "make check              check style, types, import directions and known weaknesses"
	@echo "make format             reformat the code"
	@echo "make sbom               list what is in the image, with hashes and licences: dist/unspun.cdx.json"
	@echo "make lock               update the lock files after a change of pyproject.toml; UPGRADE=1 takes newer versions"
	@echo "make install-locked     install all extras in the locked versions, as CI does"
	@echo "make screenshots        take the README's screenshot again (needs Chromium)"
	@echo "make train-extra        install what training needs, except the Debian packages that docs/train.md names"
	@echo "make deep-extra         install PyTorch and the pretrained weights, to fine-tune the encoder"
	@echo "make engines-extra      install Spark and Ray (750 MB), to test with them; Spark also needs Java"
	@echo "make editors-extra      install the grammar checkers and other editors of benchmarks/innocent.py"
	@echo "make clean              remove the virtual environment and everything that was built"

demo: $(VENV)/installed
	@$(BIN)/unspun score seeds/examples --format table --show 1

test: $(VENV)/installed-dev
	@$(PYTEST) --numprocesses auto --maxprocesses 4 -m "not integration"

# One process more than there are cores: these tests often wait. tests/conftest.py puts the longest files first.
test-integrations: $(VENV)/installed-dev
	@$(PYTEST) --numprocesses $$($(BIN)/python -c 'import os; print(min(os.cpu_count() + 1, 5))') --no-loadscope-reorder \
	-m integration

screenshots: $(VENV)/installed-dev
	@$(BIN)/python -m tests.browser.screenshots

train-extra: $(VENV)/installed-train

deep-extra: $(VENV)/installed-deep

engines-extra: $(VENV)/installed-engines

editors-extra: $(VENV)/installed-editors

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers auto
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive model reading service training src

sbom: $(VENV)/installed-dev
	@mkdir -p dist
	@$(BIN)/python deploy/sbom.py dist/unspun.cdx.json

# The versions of a lock file that still fit stay, unless UPGRADE is set. The image takes its versions from the other lock
# file, so that it has what the tests ran with.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) pyproject.toml

lock: $(VENV)/installed-dev
	$(LOCK) --all-extras --excludes deploy/unlocked.txt --output-file deploy/requirements-dev.txt
	$(LOCK) $(foreach extra,service feedback documents cluster signing,--extra $(extra)) --constraint deploy/requirements-dev.txt \
	--output-file deploy/requirements.txt

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are younger than pyproject.toml once what it asks for is installed, so the second run is quick.
$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the development tools into $(VENV) ..."
	@$(PIP) --editable '.[dev,service,feedback,signing,evaluate,parquet,warc,documents,zstd,remote,cluster,dedupe,datasets,datatrove,mcp]'
	@touch $@

$(VENV)/installed-train: $(VENV)/installed-dev
	@echo "Installing what training needs into $(VENV) ..."
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/installed-deep: $(VENV)/installed-dev
	@echo "Installing what fine-tuning the encoder needs into $(VENV) ..."
	@$(PIP) --editable '.[deep]'
	@touch $@

# Without bytecode: compiling all of it takes four times as long as the rest.
$(VENV)/installed-engines: $(VENV)/installed-dev
	@echo "Installing Spark and Ray into $(VENV) ..."
	@$(PIP) --no-compile --editable '.[spark,ray]'
	@touch $@

RETEXT := if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix benchmarks/retext \
	|| echo "npm failed: three editors are missing"; else echo "npm is not installed: three editors are missing"; fi

$(VENV)/installed-editors: $(VENV)/installed-dev benchmarks/retext/package-lock.json
	@echo "Installing editors of text into $(VENV) ..."
	@$(PIP) --editable '.[editors]'
	@$(RETEXT)
	@touch $@

# uv installs all that is locked in a fraction of pip's time. It comes from the same lock file. Source distributions are
# built with locked tools, too. uv does not read pip's settings: where only those say how to reach an index, pip does it
# all. pip takes PyTorch, which is not locked, from where this machine is set up to get it.
install-locked: deploy/requirements-dev.txt | $(BIN)/python
	@echo "Installing all that is locked into $(VENV) ..."
	@awk '/^[a-z]/ {wanted = /^uv==/} wanted' deploy/requirements-dev.txt > $(VENV)/uv.txt
	@$(PIP) --require-hashes --no-deps --requirement $(VENV)/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --requirement deploy/requirements-dev.txt \
	--require-build-hashes --build-constraints deploy/requirements-dev.txt || { echo "uv failed; pip tries, which takes longer"; \
	$(PIP) --no-deps --require-hashes --requirement deploy/requirements-dev.txt; }
	@$(PIP) --no-build-isolation --editable '.[deep]'
	@$(RETEXT)
	@touch $(VENV)/installed $(VENV)/installed-dev $(VENV)/installed-train $(VENV)/installed-deep $(VENV)/installed-engines \
	$(VENV)/installed-editors

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "Installing unspun into $(VENV) ..."
	@$(PIP) --editable .
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("unspun needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
