PYTHON ?= python3.11
BIN := .venv/bin
# More workers than two cores: some of them wait for processes.
TEST_WORKERS ?= 4
# pytest keeps the modules that it rewrites; otherwise each worker takes seconds to rewrite them.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -n $(TEST_WORKERS) --dist loadfile

help:  ## list these commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

run: .venv/runs  ## start web, worker and beat with demo data on http://127.0.0.1:8000; stop with Ctrl-C
	@exec $(BIN)/python -m local

seed: .venv/runs  ## fill new databases with demo data
	@$(BIN)/python manage.py migrate_databases --verbosity 0
	@$(BIN)/python manage.py seed

test: .venv/tests  ## run the tests on embedded databases, then on PostgreSQL and MariaDB
	$(PYTEST)
	TEST_DATABASES=servers $(PYTEST)

test-full: .venv/tests  ## run the long tests of real processes, which `make test` leaves out
	$(PYTEST) -m "full and not soak"

soak: .venv/tests  ## test for longer: more kills and outages, ten times as many generated examples
	$(BIN)/pytest -m soak
	$(PYTEST) -m hypothesis --hypothesis-profile thorough
	TEST_DATABASES=servers $(PYTEST) -m hypothesis --hypothesis-profile thorough

check: .venv/tests  ## check style, types, migrations, OpenAPI, imports and known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py makemigrations --check --dry-run
	DATA_DIR=$$(mktemp -d) $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit

fix: .venv/tests  ## fix style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/tests  ## compare the speed with simple code and with the database's own limit
	$(BIN)/python -m benchmarks

screenshots: .venv/tests  ## take the README's screenshots again, with Chromium
	@$(BIN)/python docs/screenshots.py

shell: .venv/runs  ## open a Python shell with the models
	@$(BIN)/python manage.py shell

.venv/runs: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	@touch $@

.venv/tests: .venv/runs requirements-lambda.txt requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements-dev.txt
	@touch $@

.PHONY: help run seed test test-full soak check fix bench screenshots shell
