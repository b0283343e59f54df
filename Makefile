# make run    a server with a sample library and a local agent, and a SOAP client that uses them; Ctrl-C ends it
# make test   everything that must hold, but for what faults, clients and fuzz run
# make lint   ruff, mypy, import-linter, golden WSDL, codespell, docutils
# make faults kills, cuts, pauses, full disks and clocks (docs/faults.rst), for an hour; FAULTS=short: for 10 minutes
# make clients proxies that gSOAP, Mono's svcutil and JAX-WS make; apt-get installs what is missing of these
# make fuzz   a minute of guided fuzzing for each codec, as many at once as there are processors; FUZZ=15: of 15 seconds
# make bench  the performance figures, beside their peers (bench/README.rst)
# make clean  remove what the above have made
#
# make PYTHON=python3.12 VENV=.venv-3.12 ...     with another Python (3.11, 3.12 or 3.13)
# make LISTEN=127.0.0.1:9080 AGENTS=127.0.0.1:9163 run     on other ports

LISTEN ?= 127.0.0.1:8080
FAULTS ?= long
FUZZ ?= 60
FUZZ_SEED ?= 0
FUZZ_TARGETS ?=
AGENTS ?= 127.0.0.1:3163
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check

LINTS = lint-style lint-types lint-types-windows lint-imports lint-wsdl lint-texts

.PHONY: run test lint $(LINTS) faults fuzz clients bench clean

# Both run in the background, so that a signal finds the shell waiting, and able to end them at once.
run: $(VENV)/.demo
	@server= client=; \
	stop() { trap '' INT TERM HUP; kill $$client $$server 2>/dev/null; wait; exit $$1; }; \
	trap 'stop 130' INT; trap 'stop 143' TERM HUP; \
	DISPATCHER_DATASTORE='sqlite:///$(CURDIR)/.run/dispatcher.db' DISPATCHER_LOG__LEVEL=warning \
		$(BIN)/dispatcher serve --demo --listen $(LISTEN) --agents $(AGENTS) & server=$$!; \
	$(BIN)/python docs/examples/soap_client.py --url http://$(LISTEN) --server-pid $$server & client=$$!; \
	wait $$client && echo 'The server stays up until Ctrl-C.'; \
	client=; wait $$server

# What is compiled is kept, whatever the environment says: tests start many processes.
test faults: export PYTHONDONTWRITEBYTECODE =

# Without the fault tests: they kill, pause and starve processes, look at when something happens, and take their time.
test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal --ignore tests/faults

# All at once: most of the time goes to the two looks at types, and each has one thread.
lint: $(VENV)/.test
	@$(MAKE) --no-print-directory -j $(words $(LINTS)) $(LINTS)

lint-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-types:
	$(BIN)/mypy

lint-types-windows:
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/win32 \
		-p dispatcher.agents -p dispatcher.tasks

lint-imports:
	$(BIN)/lint-imports

lint-wsdl:
	$(BIN)/dispatcher wsdl --check wsdl

lint-texts:
	$(BIN)/codespell .ci bench conf dispatcher docs tests CHANGES.rst Makefile README.rst
	@for page in README.rst CHANGES.rst bench/README.rst $$(find docs -name '*.rst'); do \
		$(BIN)/docutils --report=warning --halt=warning --writer=null "$$page" || exit 1; \
	done

# The short ones two at a time: they wait for processes more than they compute.
faults: $(VENV)/.test
	FAULTS=$(FAULTS) $(BIN)/python -m pytest $(if $(filter short,$(FAULTS)),-n 2 --dist worksteal) \
		tests/faults tests/unit/core/test_recurrence_oracle.py

# What is missing is installed; who may not is told what to ask for.
clients: $(VENV)/.test
	@missing=; \
	needs() { package=$$1; shift; "$$@" >/dev/null 2>&1 || missing="$$missing $$package"; }; \
	needs gsoap command -v wsdl2h; \
	needs gsoap command -v soapcpp2; \
	needs g++ command -v g++; \
	needs libgsoap-dev sh -c 'printf "#include <stdsoap2.h>\n" | g++ -E -x c++ -'; \
	needs mono-runtime command -v mono; \
	needs mono-devel command -v svcutil; \
	needs mono-mcs command -v mcs; \
	needs jaxws command -v wsimport; \
	needs libjaxws-java test -e /usr/share/java/jaxws-rt.jar; \
	needs default-jdk-headless command -v javac; \
	[ -z "$$missing" ] || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 $$missing; } || \
		{ echo "Needed, and could not be installed:$$missing"; exit 1; }
	$(BIN)/python -m pytest -m clients tests/clients

# atheris, which guides it, is made for Linux on x86_64 only.
fuzz: $(VENV)/.fuzz
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		{ echo 'make fuzz needs atheris, which there is for Linux on x86_64 only'; exit 1; }
	cd tests && $(abspath $(BIN))/python -m fuzz --seconds $(FUZZ) --seed $(FUZZ_SEED) $(FUZZ_TARGETS)

bench: $(VENV)/.bench
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build dist *.egg-info .run

# Python makes bin/python first and pip last: without pip the environment is not complete.
$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo 'Python 3.11, 3.12 or 3.13 with its venv module is needed; none was found'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: setup.cfg | $(VENV)/bin/pip
	$(PIP) install -e '.[demo]'
	@touch $@

$(VENV)/.test: setup.cfg | $(VENV)/bin/pip
	$(PIP) install -e '.[demo,test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: setup.cfg | $(VENV)/bin/pip
	$(PIP) install -e '.[bench]'
	@touch $@

$(VENV)/.fuzz: setup.cfg | $(VENV)/bin/pip
	$(PIP) install -e '.[demo,test,fuzz]'
	@touch $@ $(VENV)/.demo $(VENV)/.test
