# `make demo` starts everything on this machine; `make test` proves it. Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8080

.PHONY: demo demo-reset test check format bench campaign web fonts servers release clean

# --- set-up, each step done once -------------------------------------------------------------------------------------

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, sqlite3, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 with venv is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[web,dev]'
	touch $@

WEB_SOURCES := $(shell find clients/web/src clients/web/public -type f 2>/dev/null) \
  clients/web/package-lock.json clients/web/vite.config.ts clients/web/index.html

clients/web/node_modules/.installed: clients/web/package-lock.json $(VENV)/.installed
	cd clients/web && PATH="$(abspath $(BIN)):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	touch $@

clients/web/dist/.built: $(WEB_SOURCES) clients/web/node_modules/.installed
	cd clients/web && PATH="$(abspath $(BIN)):$$PATH" npm run build
	touch $@

web: clients/web/dist/.built

fonts: $(VENV)/.installed
	$(BIN)/python deploy/fonts/fetch.py var/fonts

# What the demo needs of the system besides: nothing. Node comes from the package index, the fonts are found or fetched, and
# every compiled package is a wheel. What only the tests need of the system: real servers, a real token, a real browser.
servers:
	@deploy/test-packages.sh

# --- what people run -------------------------------------------------------------------------------------------------

demo: $(VENV)/.installed web fonts
	$(BIN)/oa demo --port $(PORT)

demo-reset: $(VENV)/.installed
	$(BIN)/oa demo-reset

test: $(VENV)/.installed-dev web fonts servers
	$(BIN)/python -m tests

check: $(VENV)/.installed-dev clients/web/node_modules/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd clients/web && PATH="$(abspath $(BIN)):$$PATH" npm run check

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev fonts servers
	$(BIN)/python -m tests.bench

campaign: $(VENV)/.installed-dev fonts servers
	$(BIN)/python -m pytest -m campaign tests

# What a site unpacks (deploy/manual-install.zh.md): the tree as it is committed, readable by everybody, writable by its owner.
# With RELEASE_KEY=FILE (a private key, PEM) it carries a signed list of its files, which servers check at their start.
release:
	git -c tar.umask=022 archive --output oa-server.tar HEAD
ifdef RELEASE_KEY
	rm -rf build/release && mkdir -p build/release && tar -xf oa-server.tar -C build/release
	deploy/sign-release.sh build/release "$(abspath $(RELEASE_KEY))"
	tar --append --file oa-server.tar --owner=root --group=root --mode=644 -C build/release RELEASE.sha256 RELEASE.sig
	rm -rf build/release
endif

clean:
	rm -rf $(VENV) clients/web/node_modules clients/web/dist
