# `make run` and `make test` need Python 3.11 or later with venv, make and git, and install everything else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

AUDIT := tests/audit

# Translators edit the .po files; the portal reads the .mo files.
TRANSLATIONS := portal/translations
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard $(TRANSLATIONS)/*/LC_MESSAGES/messages.po))

# Paths for mypy.
TYPED := $(wildcard portal tests benchmarks demo hatch_build.py)

# `make run ARGS="--port 8000"`, `make test ARGS="-k login"`, `make lock LOCK_ARGS=--upgrade`
ARGS ?=
LOCK_ARGS ?=

# Python keeps what it compiled, also where the environment forbids it (images of containers often do): otherwise each
# worker of the tests, and each process that they start, would compile the portal and its tests anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
# Two targets at once would write to the same environment.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run demo test test-all test-programs coverage audit check format bench bench-peers bench-postgresql bench-instances bench-customers soak messages language pictures lock sbom clean

help:
	@echo "make run      serve the portal on http://127.0.0.1:5000"
	@echo "make demo     run a shop on another host name that shows the portal in a frame, over TLS"
	@echo "make test     the tests to run after each change, real browser and servers included: about 3.5 minutes"
	@echo "make test-all all other tests, then those of domain, pages and API on other Python versions: about 14 minutes"
	@echo "make coverage run all tests and list the lines of portal/ that none of them runs"
	@echo "make audit    run third-party audits (Lighthouse, axe, Nu, SpamAssassin) on pages, headers and emails"
	@echo "make check    run linters, type checks and import rules"
	@echo "make format   format the code"
	@echo "make bench    measure the rows of docs/performance.md (ARGS=\"--row sign-in\": one of them)"
	@echo "make bench-postgresql measure the same rows on PostgreSQL and Redis beside SQLite"
	@echo "make bench-instances measure 1, 2 and 4 portals behind nginx"
	@echo "make bench-customers measure requests with 1,000, 100,000 and 1,000,000 customers"
	@echo "make bench-peers measure the portal beside Flask-Login, Flask-Security and django-allauth"
	@echo "make soak     kill the portal at random under load, 500 times, and check for lost data; then the long tests"
	@echo "make messages update the catalogues of all languages from the sources"
	@echo "make language LOCALE=de   the same, and create a catalogue for another language"
	@echo "make pictures take the pictures of README and docs/pages.md anew"
	@echo "make lock     update the lock files from pyproject.toml (LOCK_ARGS=--upgrade for newer versions)"
	@echo "make sbom     write a bill of materials (CycloneDX) to build/portal.cdx.json"
	@echo "make clean    remove what these targets created, except instance/"

# `exec` replaces the shell by the server, so that Ctrl-C and SIGTERM reach it and it can finish running requests.
run: $(VENV)/.runtime $(CATALOGUES)
	@exec $(BIN)/portal serve $(ARGS)

demo: $(VENV)/.runtime $(CATALOGUES)
	@exec $(BIN)/python -m demo $(ARGS)

PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore=$(AUDIT)

# What tests need beside Python packages.
test-programs: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.deploy.nginx
	@$(BIN)/python -m tests.faults.faketime
	@$(BIN)/python -m tests.servers.redis

test: test-programs
	@$(PYTEST) -m "not full" $(ARGS)

test-all: test-programs
	@$(PYTEST) -m full $(ARGS)
	@$(BIN)/python -m tests.pythons $(ARGS)

# Separate from `make test`, since coverage adds a third to the tests' CPU time.
coverage: test-programs
	@$(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

audit: $(VENV)/.audit $(CATALOGUES) $(AUDIT)/node_modules/.package-lock.json
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.audit.firefox
	@$(BIN)/python -m tests.audit.spamassassin
	@$(BIN)/python -m pytest $(AUDIT) $(ARGS)

check: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(TYPED)
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

# KILLS=50 for a shorter run. The long forms of the tests take minutes.
KILLS ?= 500
LONG := tests/deploy/test_nginx.py tests/server/test_hostile_clients.py \
	$(addprefix tests/faults/test_,mail_queue.py busy_database.py frozen_worker.py)
soak: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m tests.deploy.nginx
	@$(BIN)/python -m tests.servers.redis
	@$(BIN)/python -m tests.faults.kills $(KILLS)
	@PORTAL_TESTS_LONG=1 $(BIN)/python -m pytest --timeout=3600 -o faulthandler_timeout=4000 $(LONG) $(ARGS)

bench: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-postgresql: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m tests.servers.redis
	@$(BIN)/python -m benchmarks.postgresql $(ARGS)

bench-instances: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m tests.deploy.nginx
	@$(BIN)/python -m tests.servers.redis
	@$(BIN)/python -m benchmarks.instances $(ARGS)

bench-customers: $(VENV)/.dev $(CATALOGUES)
	@$(BIN)/python -m benchmarks.customers $(ARGS)

# The peers have an environment of their own, with the Python of $(VENV).
PEERS := build/peers
bench-peers: $(VENV)/.dev $(CATALOGUES) $(PEERS)/.installed
	@$(BIN)/python -m benchmarks.peers $(ARGS)

PYBABEL := $(BIN)/pybabel --quiet
POT := build/messages.pot
.PHONY: $(POT)
WIDTH := --width=120

# Without line numbers, which would change with each line added above. Without fuzzy matching: a reworded message is an
# untranslated one.
$(POT): $(VENV)/.dev
	@mkdir -p $(dir $(POT))
	@$(PYBABEL) extract --mapping=pyproject.toml --project=portal --add-location=file $(WIDTH) --output-file=$(POT) .

messages: $(POT)
	@$(PYBABEL) update --input-file=$(POT) --output-dir=$(TRANSLATIONS) $(WIDTH) \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	@$(BIN)/pybabel compile --directory=$(TRANSLATIONS) --statistics

language: messages
	@test -n "$(LOCALE)" || { echo "LOCALE: not set; name a language, like make language LOCALE=de" >&2; exit 1; }
	@test -e $(TRANSLATIONS)/$(subst -,_,$(LOCALE)) || $(BIN)/pybabel init --input-file=$(POT) $(WIDTH) \
		--output-dir=$(TRANSLATIONS) --locale=$(subst -,_,$(LOCALE))
	@$(PYBABEL) compile --directory=$(TRANSLATIONS)

pictures: test-programs
	@$(BIN)/python -m tests.browser.pictures

%.mo: %.po | $(VENV)/.runtime
	@$(PYBABEL) compile --input-file=$< --output-file=$@

# The lock has the hashes of all files of a version, for every platform and every Python from 3.11 on, so it is the same
# on all machines. It names no index: pip and uv use their own. The development lock has the versions of the runtime lock,
# so that tests run with what is served. `--no-config` ignores the settings of one machine.
COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_ARGS)

lock: $(VENV)/.dev
	@echo "Locking ..."
	@$(COMPILE) pyproject.toml --group build --output-file requirements.lock
	@$(COMPILE) pyproject.toml --group dev --constraints requirements.lock --output-file requirements-dev.lock
	@$(COMPILE) --group pyproject.toml:audit --constraints requirements-dev.lock --output-file requirements-audit.lock
	@$(COMPILE) --group pyproject.toml:peers --constraints requirements-dev.lock --output-file requirements-peers.lock

# Every locked package with its version and hashes; the same lock file gives the same bytes. The tool's warning is about
# the dependency graph, which a lock file does not have.
SBOM ?= build/portal.cdx.json
sbom: $(VENV)/.dev
	@mkdir -p $(dir $(SBOM))
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file $(SBOM) requirements.lock

clean:
	rm -rf $(VENV) $(CATALOGUES) $(AUDIT)/node_modules build dist .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache \
		.ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp file is older than the lock or pyproject.toml only when something must be installed, so a
# second `make run` starts at once. The project itself is installed in editable mode, without its dependencies (they are
# in the lock) and with the locked build backend.
#
# $(call install,installer,its command,the message): the installer's output is shown only when it fails.
define install
	@echo "Installing $(3) ..."
	@log=$$(mktemp) && { $(2); } >"$$log" 2>&1 || \
		{ cat "$$log" >&2; rm -f "$$log"; echo "Installing failed; the output of $(1) is above." >&2; exit 1; }; \
	rm -f "$$log"
endef
# `--no-deps`: a lock file is complete, so pip must not resolve. When they resolve, older versions of pip look for the
# newest release of a package with an extra (pytest-cov needs coverage[toml]), and refuse it since the lock has no hash of
# it, so each new release would break the installation. `pip check` fails when a lock file is not complete.
PIP := $(BIN)/python -m pip --disable-pip-version-check
FROM_LOCK := $(PIP) install --no-deps --require-hashes -r
ITSELF := $(PIP) install --no-deps --no-build-isolation --editable . && $(PIP) check

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.made
	$(call install,pip,$(FROM_LOCK) $< && $(ITSELF),the portal into $(VENV) (only this once; about half a minute))
	@touch $@

# The development lock contains the runtime lock, so `make run` needs no second installation.
$(VENV)/.dev: requirements-dev.lock requirements.lock pyproject.toml | $(VENV)/.made
	$(call install,pip,$(FROM_LOCK) $< && $(ITSELF),the portal and its tools into $(VENV) (only this once; about a minute))
	@touch $@ $(VENV)/.runtime

$(VENV)/.audit: requirements-audit.lock | $(VENV)/.dev
	$(call install,pip,$(FROM_LOCK) $<,Node and Java into $(VENV) (only this once; about half a minute))
	@touch $@

$(PEERS)/.installed: requirements-peers.lock | $(VENV)/.dev
	$(call install,pip,$(BIN)/python -m venv --clear $(PEERS) && \
		$(PEERS)/bin/python -m pip --disable-pip-version-check install --no-deps --require-hashes -r $<,the peers into \
		$(PEERS) (only this once; about half a minute))
	@touch $@

# The file that npm writes last.
$(AUDIT)/node_modules/.package-lock.json: $(AUDIT)/package-lock.json $(AUDIT)/.npmrc | $(VENV)/.audit
	$(call install,npm,PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix $(AUDIT),the auditors (only this once; about half a minute))
	@touch $@

$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "$(PYTHON): not found; name a Python 3.11 or later: make PYTHON=/path/to/python" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON): too old; name a Python 3.11 or later: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON): has no venv module; install it, on Debian: apt-get install python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@
