.DEFAULT_GOAL := help
.PHONY: help setup setup-fpga setup-formal demo test lint fuzz fmax rams prove clean

# The card that `make fmax` measures.
PRESET ?= n4w64

# The capture of the demonstration: the large one if it stands beside the repository, else our own.
CAPTURE ?= $(firstword $(wildcard ../shared/data/mixed-traffic.pcap) tests/data/mixed.pcapng)

# What `make fuzz` gives each target, and which choices it makes.
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 1

help:
	@echo 'make setup   check the needs (Rust, python3 with venv, g++, make); pinned tools into .tools/'
	@echo 'make demo    set-up, then a real capture through the verilated card'
	@echo '             (CAPTURE=FILE for yours; now $(CAPTURE))'
	@echo 'make test    set-up, lint, then every test'
	@echo 'make lint    set-up, formatting, clippy, rustdoc'
	@echo 'make fuzz    set-up, then random input for everything that takes bytes from outside'
	@echo '             (FUZZ_SECONDS=$(FUZZ_SECONDS) for each of five targets, FUZZ_SEED=$(FUZZ_SEED))'
	@echo 'make fmax    set-up with the FPGA tools (300 MB), then clock rate and area on an ECP5 (most of an hour)'
	@echo 'make rams    set-up with the FPGA tools, then RAM of every preset as yosys maps it'
	@echo 'make prove   set-up with the FPGA tools and a solver, then formal proofs of queues, messages, interrupts'
	@echo 'make clean   remove what was built, keep .tools/'

setup:
	@scripts/setup venv requirements.txt

setup-fpga: setup
	@scripts/setup fpga requirements-fpga.txt

setup-formal: setup-fpga
	@scripts/setup formal requirements-formal.txt

demo: setup
	cargo run --locked -- cosim --pcap $(CAPTURE)

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked

test: lint
	cargo test --workspace --locked

fuzz: setup
	POINTSMAN_FUZZ_SECONDS=$(FUZZ_SECONDS) POINTSMAN_SEED=$(FUZZ_SEED) \
	POINTSMAN_FUZZ_CAPTURE=$(abspath $(wildcard ../shared/data/mixed-traffic.pcap)) \
	cargo test --locked -p soft-cores --test fuzz -- --test-threads=1 --nocapture

fmax: setup-fpga
	cargo build --locked
	scripts/fmax $(PRESET)

rams: setup-fpga
	cargo build --locked
	scripts/fmax --rams

prove: setup-formal
	scripts/prove

clean:
	cargo clean
