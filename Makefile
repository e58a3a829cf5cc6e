# The commands of the project. `make help` prints the sentences after each `##`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
FLASK := $(BIN)/flask --app wsgi
CODE := portal config.py config_addresses.py config_brand.py config_env_file.py config_levels.py config_looks.py config_strength.py config_values.py wsgi.py
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal
PYTHON_FILES := $(CODE) clients scripts tests $(wildcard migrations bench)
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
        --no-header --no-emit-index-url --no-emit-find-links $(LOCK_OPTIONS)

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Serve the portal on http://127.0.0.1:8000, with everything set up
	@scripts/setup.sh run
	@exec $(FLASK) serve

.PHONY: demo
demo: ## Fill the empty installation with a year of accounts, keys and use, and say how to sign in
	@scripts/setup.sh run
	@PORTAL_LOG_LEVEL=warning $(FLASK) demo

.PHONY: dev
dev: ## Serve demo data from instance/dev, with a debugger, and again whenever the code changes
	@scripts/setup.sh lint
	@exec scripts/dev.sh

.PHONY: quick
quick: ## Lint what changed since main, and run the tests of that on SQLite, in less than a minute
	@scripts/setup.sh lint
	@PYTHONPATH=. $(BIN)/python scripts/quick.py

.PHONY: test-one
test-one: ## Run one file or one test on both databases, without coverage (T=tests/web/test_keys.py::test_it)
	@test -n "$(T)" || { echo "Say which: make test-one T=tests/web/test_keys.py" >&2; exit 1; }
	@scripts/setup.sh test
	@$(BIN)/python -m pytest $(PYTEST_OPTIONS) $(T)

.PHONY: test
# Coverage doubles the time, so it is measured on the first of the two databases.
test: ## Run the whole test suite on SQLite, with branch coverage, and on PostgreSQL
	@scripts/setup.sh test
	@$(PYTEST) --database sqlite --cov --cov-report term:skip-covered $(PYTEST_OPTIONS)
	@$(PYTEST) --database postgresql $(PYTEST_OPTIONS)
	@$(BIN)/python -m tests.support.lanes

.PHONY: test-newest
UNIT := $(patsubst %,tests/%,models services http api web cli) \
        $(filter-out $(patsubst %,tests/test_%.py,migrations restore mutants),$(wildcard tests/test_*.py))
test-newest: ## Run the unit tests on Python 3.13, in an environment of its own
	@scripts/setup.sh test
	@scripts/setup.sh newest
	@.venv-3.13/bin/python -m pytest --numprocesses 2 --dist worksteal --database sqlite \
	    $(UNIT) $(PYTEST_OPTIONS)

.PHONY: lint
lint: ## Check the style, the types, the templates and the stylesheet
	@scripts/setup.sh style
	@$(BIN)/ruff check $(PYTHON_FILES)
	@$(BIN)/ruff format --check $(PYTHON_FILES)
	@$(BIN)/mypy
	@$(BIN)/djlint --quiet --lint templates
	@$(BIN)/node node_modules/stylelint/bin/stylelint.mjs "static/*.css"

.PHONY: format
format: ## Rewrite the code in the house style
	@scripts/setup.sh lint
	@$(BIN)/ruff check --fix $(PYTHON_FILES)
	@$(BIN)/ruff format $(PYTHON_FILES)

.PHONY: check
check: lint test ## Lint and test: what has to pass before a change lands

.PHONY: mutants
MUTANTS := $(if $(ONLY),--only '$(ONLY)') $(if $(TENTH),--tenth $(TENTH)) $(if $(SELFCHECK),--selfcheck)
mutants: ## Break the code in many places and see whether tests notice (ONLY=sessions TENTH=3 SELFCHECK=1)
	@scripts/setup.sh lint
	@$(BIN)/python -m tests.mutants $(MUTANTS)

.PHONY: audit
audit: ## Look the locked requirements up among the known vulnerabilities; fails when blind
	@scripts/setup.sh lint
	@$(BIN)/pip-audit --strict --progress-spinner off --disable-pip --require-hashes \
	    --requirement requirements.txt --requirement requirements-redis.txt

.PHONY: sbom
sbom: ## Write the bill of materials, build/sbom.json (CycloneDX)
	@scripts/setup.sh lint
	@mkdir -p build
	@$(BIN)/python scripts/sbom.py >build/sbom.json

.PHONY: bench
bench: ## Measure the verification of keys against four other ways, and the pages with a million keys
	@scripts/setup.sh bench
	@.venv-bench/bin/python -m bench $(BENCH_OPTIONS)
	@.venv-bench/bin/python -m bench.pages $(BENCH_PAGES_OPTIONS)

.PHONY: messages
messages: ## Extract every sentence of the pages and mails into the catalogue
	@scripts/setup.sh lint
	@mkdir -p portal/translations
	@$(BIN)/pybabel --quiet extract --mapping babel.cfg --no-location --sort-output --omit-header \
	    --keyword _ --keyword N_ --keyword _l --keyword lazy_gettext \
	    --keyword ngettext:1,2 --keyword lazy_ngettext:1,2 \
	    --add-comments translators: --add-comments TRANSLATORS: --strip-comment-tags \
	    --output portal/translations/messages.pot .
	@$(BIN)/python scripts/translator_comments.py portal/translations/messages.pot

.PHONY: guards
guards: ## Write down the guards of the databases (portal/models/guards) as the migrations leave them
	@scripts/setup.sh lint
	@PYTHONPATH=. $(BIN)/python scripts/guards.py 2>/dev/null

.PHONY: drawing
drawing: ## Draw the house (docs/images/architecture.svg) by the floors that the tests hold
	@scripts/setup.sh lint
	@PYTHONPATH=. $(BIN)/python scripts/architecture.py

.PHONY: lock
lock: ## Write requirements*.txt anew, with hashes (LOCK_OPTIONS=--upgrade for new versions)
	@scripts/setup.sh lint
	@$(LOCK) requirements.in --output-file requirements.txt
	@$(LOCK) requirements-redis.in --output-file requirements-redis.txt
	@$(LOCK) requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) bench/requirements-bench.in --output-file bench/requirements-bench.txt
	@$(LOCK) tests/clients/others/requirements-clients.in \
	    --output-file tests/clients/others/requirements-clients.txt

.PHONY: release
release: ## Tag the version of pyproject.toml, if the changelog and the tree are ready for it
	@scripts/setup.sh lint
	@$(BIN)/python scripts/release.py

.PHONY: clean
clean: ## Remove the virtual environment and everything that was built; keeps instance/
	@rm -rf .venv .venv-bench .venv-clients .venv-3.13 node_modules build screenshots .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
