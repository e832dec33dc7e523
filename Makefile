# `make demo` and `make test` work on a fresh machine with git, make and Python 3.11 or later.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOCKS := .ci/requirements
INSTALLED := $(VENV)/.installed
DEMO := $(VENV)-demo
PIP_OPTIONS := --quiet --disable-pip-version-check
CHECK_PYTHON = @$(PYTHON) -c 'import sys; sys.exit("stackset-monitor needs Python 3.11 or later: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# Install the locked dependencies, whose hashes are checked, and the project itself in editable mode.
$(INSTALLED): $(LOCKS)/dev.txt pyproject.toml
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_OPTIONS) --require-hashes -r $(LOCKS)/dev.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(INSTALLED) ## Create the virtual environment in .venv

# A virtual environment of 129 MB with what the demo needs; the one with the tools of a developer has 285 MB.
# --no-compile saves a third of the time of the installation: the demo imports a small part of what is installed.
$(DEMO)/.installed: $(LOCKS)/demo.txt pyproject.toml
	$(CHECK_PYTHON)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python -m pip install $(PIP_OPTIONS) --no-compile --require-hashes -r $(LOCKS)/demo.txt
	$(DEMO)/bin/python -m pip install $(PIP_OPTIONS) --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: $(DEMO)/.installed ## Run the daemon against a simulated AWS; LISTEN=HOST:PORT changes the address
	$(DEMO)/bin/stackset-monitor demo $(if $(LISTEN),--listen $(LISTEN))

.PHONY: test
test: $(INSTALLED) ## Run the tests, except those with a target of their own
	$(BIN)/python -m pytest

.PHONY: alerts
alerts: $(INSTALLED) ## Test the alerts with promtool (1 minute)
	$(BIN)/python -m pytest tests/alerts

.PHONY: chain
chain: $(INSTALLED) ## Test from a simulated AWS to the notification, with Prometheus and Alertmanager (1 minute)
	$(BIN)/python -m pytest tests/chain

# The tests that run Prometheus, with the versions of tests/prometheus3 before those of Debian in PATH.
.PHONY: prometheus3
prometheus3: $(VENV)/.chart ## Run the tests that need Prometheus with Prometheus 3 (2 minutes; first build 5 minutes, Go)
	.ci/go_programs prometheus3
	PATH=$(CURDIR)/build/programs/prometheus3:$$PATH $(BIN)/python -m pytest tests/prometheus3 tests/alerts tests/chain \
		tests/dashboard tests/e2e/test_daemon.py tests/e2e/test_web.py tests/config/test_example_files.py \
		tests/metrics/test_cache.py

# The dependencies that only the tests of the chart need, 400 MB.
$(VENV)/.chart: $(INSTALLED) $(LOCKS)/chart.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) --require-hashes -r $(LOCKS)/chart.txt
	@touch $@

.PHONY: chart
chart: $(VENV)/.chart ## Render, lint and validate the Helm chart, and test the queries of the dashboard
	$(BIN)/python -m pytest tests/chart tests/dashboard

.PHONY: pictures
pictures: $(VENV)/.browser ## Draw the pictures of the README (needs Prometheus and Chromium, 25 seconds)
	$(BIN)/python -m tests.dashboard.pictures
	$(BIN)/python -m tests.browser.pictures

.PHONY: cluster
cluster: $(VENV)/.chart ## Install and upgrade the chart in a Kubernetes control plane (5 minutes; first build 15 minutes, Go)
	.ci/go_programs cluster
	$(BIN)/python -m pytest -n 0 tests/cluster

.PHONY: chart-docs
chart-docs: $(VENV)/.chart ## Update the table of values in helm/README.md, and helm/values.schema.json
	PYTHONPATH=. $(BIN)/python .ci/chart_docs.py

# The dependencies that only the tests in a browser and of the API need.
$(VENV)/.browser: $(INSTALLED) $(LOCKS)/browser.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) --require-hashes -r $(LOCKS)/browser.txt
	@touch $@

.PHONY: browser
browser: $(VENV)/.browser ## Test the pages in Chromium and the API against its OpenAPI document
	$(BIN)/python -m pytest tests/browser

# The dependencies that only the tests of the CloudFormation template need.
$(VENV)/.template: $(INSTALLED) $(LOCKS)/template.txt
	$(BIN)/python -m pip install $(PIP_OPTIONS) --require-hashes -r $(LOCKS)/template.txt
	@touch $@

.PHONY: template
template: $(VENV)/.template ## Check the CloudFormation template with cfn-lint, and create stacks of it
	$(BIN)/python -m pytest tests/template

# DynamoDB Local and what it needs, 51 MB. It needs Java 17.
$(VENV)/.dynamodb: tests/state/dynamodb-local.xml $(INSTALLED)
	mvn --quiet --batch-mode --file $< dependency:copy-dependencies -DoutputDirectory=$(abspath $(VENV))/dynamodb
	@touch $@

.PHONY: dynamodb
dynamodb: $(VENV)/.dynamodb ## Test the state and the leases against DynamoDB Local (needs Java and Maven, 1 minute)
	STACKSET_MONITOR_DYNAMODB_LOCAL=$(abspath $(VENV))/dynamodb $(BIN)/python -m pytest -n 0 tests/state -k "dynamodb or leases or faults or migrate"

.PHONY: faults
faults: $(VENV)/.dynamodb ## Kill, stop and disconnect replicas 1,000 times, against DynamoDB Local (3 minutes)
	STACKSET_MONITOR_DYNAMODB_LOCAL=$(abspath $(VENV))/dynamodb STACKSET_MONITOR_FAULTS=$${STACKSET_MONITOR_FAULTS:-1000} \
		$(BIN)/python -m pytest -n 0 -s tests/state/test_faults.py

.PHONY: crash
crash: $(INSTALLED) ## Kill the daemon 200 times at random moments (7 minutes)
	STACKSET_MONITOR_KILLS=$${STACKSET_MONITOR_KILLS:-200} $(BIN)/python -m pytest -n 0 -s tests/e2e/test_crash.py

.PHONY: soak
soak: $(INSTALLED) ## Make 10,000 polls of changing products with faults (4 minutes)
	STACKSET_MONITOR_POLLS=$${STACKSET_MONITOR_POLLS:-10000} $(BIN)/python -m pytest -n 0 -s tests/e2e/test_soak.py

.PHONY: many
many: $(INSTALLED) ## Poll 50 sources with 20 products each (30 seconds)
	STACKSET_MONITOR_SOURCES=$${STACKSET_MONITOR_SOURCES:-50} $(BIN)/python -m pytest -n 0 tests/e2e/test_many_sources.py

.PHONY: image
image: $(VENV)/.chart ## Build and run the container image, and the pod of the chart (as root, 2 minutes)
	.ci/go_programs cluster
	$(BIN)/python -m pytest -n 0 -s tests/image

.PHONY: bench
bench: $(INSTALLED) ## Run all benchmarks and write docs/performance.md (40 minutes)
	$(BIN)/python -m benchmarks $(SECTIONS)

.PHONY: lint
lint: $(INSTALLED) ## Check format, lint rules, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(INSTALLED) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: sbom
sbom: $(INSTALLED) ## Write the SBOM of the container image to dist/sbom.cdx.json (CycloneDX)
	@mkdir -p dist
	$(BIN)/python .ci/lock_file.py sbom > dist/sbom.cdx.json

# ADVISORIES=FOLDER also reports known vulnerabilities, from a local copy of an advisory database (OSV format).
.PHONY: audit
audit: $(INSTALLED) ## Check the lock files: pinned, hashed, consistent (offline)
	$(BIN)/python .ci/lock_file.py audit $(if $(ADVISORIES),--advisories $(ADVISORIES))

.PHONY: lock
lock: ## Update the lock files, with hashes
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install $(PIP_OPTIONS) uv
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		pyproject.toml --output-file $(LOCKS)/run.txt
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/run.txt --extra demo --group test --group lint --group build \
		pyproject.toml --output-file $(LOCKS)/dev.txt
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/dev.txt --group chart --output-file $(LOCKS)/chart.txt
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/dev.txt --group browser --output-file $(LOCKS)/browser.txt
	$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/dev.txt --group template --output-file $(LOCKS)/template.txt
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/dev.txt --extra demo --group build pyproject.toml --output-file $(LOCKS)/demo.txt
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--constraint $(LOCKS)/dev.txt --group build --output-file $(LOCKS)/build.txt
	rm -rf $(VENV)-lock

.PHONY: clean
clean: ## Remove the virtual environments and all caches
	rm -rf $(VENV) $(DEMO) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
