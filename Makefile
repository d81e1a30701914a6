# `make demo` and `make test` do all their own set-up; see CONTRIBUTING.md.
.PHONY: demo test bench fuzz fmt tidy

# CI builds exactly what Cargo.lock says; a developer's build may update it.
LOCKED := $(if $(filter 1,$(CORACLE_CI)),--locked)

demo:
	@scripts/setup
	cargo build --release $(LOCKED) -p coracle
	@scripts/demo

test:
	@scripts/setup
	@cargo run --quiet $(LOCKED) -p xtask -- test

fmt:
	cargo fmt --all

tidy:
	@cargo run --quiet $(LOCKED) -p xtask -- tidy

# Each line of the tables is printed with the command that repeats it.
bench:
	@scripts/setup
	@bench/run

# An hour for each target; FUZZ_SECONDS changes that.
fuzz:
	@fuzz/run
