PYTHON ?= python3.11
BIN := .venv/bin
# More workers than two cores: some of them wait for processes.
TEST_WORKERS ?= 3
PYTEST = $(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder
# pytest keeps the modules that it rewrites; otherwise each worker takes seconds to do it again.
unexport PYTHONDONTWRITEBYTECODE

help:  ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

run: .venv/runs  ## web, worker and beat with a demo on http://127.0.0.1:8000, until Ctrl-C
	@exec $(BIN)/python -m local.launcher

seed: .venv/runs  ## made-up content for stores that are new
	@$(BIN)/python manage.py migrate_stores --verbosity 0
	@$(BIN)/python manage.py seed

test: .venv/tests  ## run the tests on embedded databases, then on PostgreSQL and MariaDB
	$(PYTEST)
	TEST_DATABASES=servers $(PYTEST)

test-full: .venv/tests  ## run the long tests of real processes, which `make test` leaves out
	$(PYTEST) -m "full and not soak"

soak: .venv/tests  ## run for hours of kills, restarts and generated examples
	$(BIN)/pytest -m soak
	$(PYTEST) -m hypothesis --hypothesis-profile thorough
	TEST_DATABASES=servers $(PYTEST) -m hypothesis --hypothesis-profile thorough

check: .venv/tests  ## what must hold before a commit lands
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit

fix: .venv/tests  ## what a tool can put right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/tests  ## how fast, beside a naive way and the store's own limit
	$(BIN)/python -m benchmarks

screenshots: .venv/tests  ## the README's pictures, taken anew in chromium
	@$(BIN)/python docs/screenshots.py

shell: .venv/runs  ## a Python shell with the models
	@$(BIN)/python manage.py shell

.venv/runs: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	@touch $@

.venv/tests: .venv/runs requirements-lambda.txt requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements-dev.txt
	@touch $@

.PHONY: help run seed test test-full soak check fix bench screenshots shell
