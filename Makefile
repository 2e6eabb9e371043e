# Build output, tools and demo data live in one folder outside the working tree.
CACHE ?= $(HOME)/.cache/streamforge
export CARGO_TARGET_DIR ?= $(CACHE)/target
# What training links and prediction loads; both paths are built into the binaries, so that they find them later.
NATIVE := $(CACHE)/native
export LIBTORCH ?= $(NATIVE)/libtorch/torch
export ORT_DYLIB_PATH ?= $(NATIVE)/onnxruntime/libonnxruntime.so
# Servers that tests start, such as Kafka.
export TEST_SERVERS ?= $(CACHE)/servers
SERVERS = $(TEST_SERVERS)
RECORDED := ../shared/data/klines_native/15m_2024-12-30_2026-04-30
EXCHANGE ?= $(if $(wildcard $(RECORDED)),replay:$(RECORDED),synthetic:42)
DEMO_DATA ?= $(CACHE)/demo
NOTEBOOK_DATA ?= $(CACHE)/notebook
STREAMFORGE := $(CARGO_TARGET_DIR)/release/streamforge
# What tells the engine which code an input reached; unlike the sanitizers it needs no nightly compiler.
FUZZ_FLAGS := -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_SECONDS ?= 60
# What images are built with; `release` is quicker to build.
IMAGE_PROFILE ?= image
IMAGES ?= $(CACHE)/images
E2E = cargo test --locked --workspace --all-features --test e2e -- --ignored --test-threads 1 --nocapture
DENY := $(CACHE)/tools/bin/cargo-deny
# What renders the manifests and looks over them.
LINTERS := $(CACHE)/tools/manifests
export KUSTOMIZE ?= $(LINTERS)/kustomize
# What runs the notebook, and what tries the API by its document.
export TEST_PYTHONS ?= $(CACHE)/tools/python

.PHONY: help setup servers linters pythons pages build web demo notebook test lint format bench fuzz images cluster e2e install
.DEFAULT_GOAL := help

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what building needs: C compiler, OpenSSL, the pinned Rust toolchain, libtorch and ONNX Runtime
	@command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists openssl || \
		{ apt-get update -qq && apt-get install -y --no-install-recommends build-essential pkg-config libssl-dev; }
	@cargo --version >/dev/null || { echo "install Rust first: https://rustup.rs" >&2; exit 1; }
	@trainer/native/fetch.sh $(NATIVE)
	@mkdir -p $(CARGO_TARGET_DIR)
	@# Checkouts share one target folder and cargo goes by times of change: another checkout's sources count as changed.
	@[ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" = "$(CURDIR)" ] || \
		{ find crates functions tests trainer knative triggers scaledobjects -type f -exec touch {} +; echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/checkout; }

servers: ## Install what tests start: Kafka, which Java runs, kcat, an S3 server, which Go builds, and PostgreSQL
	@command -v java >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends default-jre-headless; }
	@command -v kcat >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends kcat; }
	@[ -e $(SERVERS)/kafka/.fetched ] || command -v mvn >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends maven; }
	@[ -e $(SERVERS)/s3/.fetched ] || command -v go >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends golang-go; }
	@crates/servers/postgres/install.sh
	@crates/servers/kafka/fetch.sh $(SERVERS)/kafka
	@crates/servers/s3/fetch.sh $(SERVERS)/s3

linters:
	@command -v go >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends golang-go; }
	@python3 -c "import venv, ensurepip" 2>/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends python3-venv; }
	@tests/manifests/lint/fetch.sh $(LINTERS)

pythons:
	@python3 -c "import venv, ensurepip" 2>/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends python3-venv; }
	@tests/python/install.sh examples/requirements.txt $(TEST_PYTHONS)/notebook
	@tests/python/install.sh tests/interface/requirements.txt $(TEST_PYTHONS)/interface

build: setup ## Build the release binaries
	cargo build --locked --release --workspace --bins

web: pages ## Build the pages anew into functions/visualizer/assets, which the binaries hold
	cd functions/visualizer/web && npm run check && npm run build

# What builds the pages, and the browser that tries them.
pages:
	@command -v npm >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends nodejs npm; }
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y --no-install-recommends chromium; }
	cd functions/visualizer/web && npm install --no-audit --no-fund

demo: build ## Load ten symbols over sixteen months, build their graph, train on it and predict the last day
	@rm -rf $(DEMO_DATA)
	$(STREAMFORGE) run examples/train-ten-symbols.json --data-dir $(DEMO_DATA) --exchange $(EXCHANGE)

notebook: build pythons ## Run the notebook of the examples anew and keep its pictures in docs/notebook
	@rm -rf $(NOTEBOOK_DATA)
	PATH=$(dir $(STREAMFORGE)):$$PATH STREAMFORGE_DATA_DIR=$(NOTEBOOK_DATA) $(TEST_PYTHONS)/notebook/bin/python tests/notebook/execute.py \
		examples/analysis.ipynb $(NOTEBOOK_DATA).ipynb docs/notebook

test: setup servers linters pythons pages ## Run every test
	cargo test --locked --workspace --all-features --no-fail-fast

lint: setup linters $(DENY) ## Check format, lints, documentation, dependencies and manifests
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	cargo fmt --manifest-path crates/xtask/peers/Cargo.toml --check
	cargo metadata --locked --format-version 1 --manifest-path crates/xtask/peers/Cargo.toml >/dev/null
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	@# The binary alone must name all features that it needs; the tests have those of the whole workspace.
	cargo check --locked --quiet -p streamforge-local
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet
	$(DENY) --log-level error --all-features check bans licenses sources
	tests/manifests/lint/lint.sh $(LINTERS)

$(DENY):
	cargo install --locked --quiet cargo-deny@0.20.2 --root $(CACHE)/tools

format: ## Format the code
	cargo fmt --all

bench: build ## Measure; BENCH=NAME for one benchmark
	EXCHANGE=$(EXCHANGE) $(CARGO_TARGET_DIR)/release/xtask bench $(BENCH)

fuzz: setup ## Fuzz every reader of foreign input, FUZZ_SECONDS each; what is found stays in the cache and goes on next time
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --locked --release --manifest-path fuzz/Cargo.toml --target $(FUZZ_HOST) --target-dir $(CACHE)/fuzz
	@for target in $(notdir $(wildcard fuzz/corpus/*)); do \
		echo "fuzzing $$target"; mkdir -p $(CACHE)/fuzz/found/$$target $(CACHE)/fuzz/crashes; \
		$(CACHE)/fuzz/$(FUZZ_HOST)/release/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
			-verbosity=0 -artifact_prefix=$(CACHE)/fuzz/crashes/$$target- $(CACHE)/fuzz/found/$$target fuzz/corpus/$$target || exit 1; \
	done

images: setup ## Build an image of each program, staged for its Containerfile and as an OCI archive, in IMAGES
	cargo build --locked --workspace --bins --profile $(IMAGE_PROFILE)
	$(CARGO_TARGET_DIR)/$(IMAGE_PROFILE)/xtask images $(CARGO_TARGET_DIR)/$(IMAGE_PROFILE) $(IMAGES)

cluster: build ## Start a real Kubernetes of one node, as root; `cargo xtask cluster down` stops it
	$(CARGO_TARGET_DIR)/release/xtask cluster up --install

e2e: cluster servers ## Put the manifests on that cluster and test them there; the cluster is stopped in the end
	@trap '$(CARGO_TARGET_DIR)/release/xtask cluster down' EXIT; \
		env -u KNATIVE_KAFKA_DATA_PLANE $(E2E) || exit 1; \
		[ -z "$$KNATIVE_KAFKA_DATA_PLANE" ] || $(E2E) workflow:: burst:: training:: canary::

install: ## Install the binary for this user
	cargo install --locked --path crates/local
