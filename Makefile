# make demo    the whole system on a phantom hospital; Ctrl-C ends it
# make install makes .venv; make serve serves your own data (DATA_DIR) and runs its workers; Ctrl-C ends it
# make pacs    a PACS to try a harvest on: Orthanc with the phantom hospital; Ctrl-C ends it
# make test    lint, types, import contracts, migrations, every test
# make bench   speed, as ratios against named baselines; ONLY=png runs one
# make pins    after a change of the requirements: pins all that they bring along in constraints.txt
# make faults  killed workers, restarted servers, full disks: what becomes of the jobs, as a table
# make services  Debian packages that the tests use for real (as root)

PYTHON ?= python3
PORT ?= 8000
PATIENTS ?=
export PORT

BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo install serve pacs test lint bench faults pins services clean

demo: .venv/runtime
	@$(BIN)/python manage.py demo $(if $(PATIENTS),--patients $(PATIENTS)) $(if $(DEEPLESION),--deeplesion "$(DEEPLESION)")

install: .venv/runtime

serve: .venv/runtime
	@$(BIN)/python manage.py serve

pacs: .venv/runtime
	@$(BIN)/python manage.py pacs $(if $(PATIENTS),--patients $(PATIENTS))

# Each test process, and each process that a test starts, would compile the same files anew.
test: export PYTHONDONTWRITEBYTECODE =
test: lint
	$(BIN)/python -m pytest -n 3 --dist worksteal
	$(BIN)/python -m pytest -n 3 --dist worksteal --postgres

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@DATA_DIR="$$(mktemp -d)" && export DATA_DIR && trap 'rm -rf "$$DATA_DIR"' EXIT \
	  && $(BIN)/python manage.py makemigrations --check \
	  && $(BIN)/python manage.py check --fail-level WARNING

bench: .venv/development
	@DATA_DIR="$$(mktemp -d)" && export DATA_DIR && trap 'rm -rf "$$DATA_DIR"' EXIT && $(BIN)/python -m benchmarks $(ONLY)

pins: | .venv
	@$(BIN)/python .ci/pins

faults: .venv/development
	@$(BIN)/python -m tests.workers.faults

services:
	@.ci/services

# The stamps are newer than the requirements they were installed from.
.venv/runtime: requirements.txt constraints.txt | .venv
	@echo "Installing requirements.txt into .venv (torch is large; a few minutes the first time)"
	@$(PIP) install -r requirements.txt -c constraints.txt
	@touch $@

.venv/development: requirements.txt requirements-dev.txt constraints.txt | .venv
	@echo "Installing requirements-dev.txt into .venv"
	@$(PIP) install -r requirements-dev.txt -c constraints.txt
	@touch .venv/runtime $@

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
