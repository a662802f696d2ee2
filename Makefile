# What people run. `make` alone tells.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 60
SOAK_KILLS ?= 20
SOAK_FLEETS ?= 1000
SOAK_GREAT_FLEETS ?= 2
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help build test check demo bench fuzz soak install clean tools

help:
	@echo 'make build     the program: build/release/src/hearth'
	@echo 'make demo      a film, rendered in a pool of one PC; KEEP=1 leaves the pool up and shows its link'
	@echo 'make test      builds with sanitizers and runs every test'
	@echo 'make check     layers, sizes, format, clang-tidy'
	@echo 'make bench     the measures of bench/, on this machine'
	@echo 'make fuzz      every fuzzer for FUZZ_SECONDS ($(FUZZ_SECONDS))'
	@echo 'make soak      the simulator with new seeds for SOAK_SECONDS ($(SOAK_SECONDS)); then SOAK_FLEETS ($(SOAK_FLEETS)) fleets, and'
	@echo '               SOAK_GREAT_FLEETS ($(SOAK_GREAT_FLEETS)) of 10,000 nodes; PCs of real pools lost SOAK_KILLS ($(SOAK_KILLS)) times'
	@echo 'make install   into PREFIX ($(PREFIX)), below DESTDIR if that is set'
	@echo 'make clean     removes build/'
	@echo 'The first four install what this PC lacks (packaging/apt-packages.txt; root, or a user with sudo).'

tools:
	@packaging/install

build: tools
	cmake --preset release >/dev/null
	cmake --build build/release -j $(JOBS)

# The page's own tests come before CTest, whose closing lines are the last words. Many tests wait more than they work.
test: tools
	tools/check
	tools/check_test
	cmake --preset asan >/dev/null
	cmake --build build/asan -j $(JOBS)
	npm --prefix web run --silent check
	npm --prefix web run --silent test
	ctest --test-dir build/asan --output-on-failure --no-tests=error -j $$(($(JOBS) + 1))

# clang-tidy reads the flags and the generated messages and protocols of the dev build.
check: tools
	tools/check_test
	cmake --preset dev >/dev/null
	cmake --build build/dev -j $(JOBS) --target hearth_proto hearth_wayland_protocols
	tools/check --tidy --jobs $(JOBS)

demo: build
	tools/demo

bench: build
	@if [ -x bench/run ]; then bench/run; else echo 'error: bench/run is missing' >&2; exit 1; fi

fuzz: tools
	cmake --preset fuzz >/dev/null
	cmake --build build/fuzz -j $(JOBS) --target fuzzers
	tools/fuzz build/fuzz $(FUZZ_SECONDS) $(JOBS)

soak: tools
	cmake --preset dev -B build/soak -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEARTH_WEB=OFF >/dev/null
	cmake --build build/soak -j $(JOBS) --target hearth-sim hearth_e2e_test
	tools/soak build/soak $(SOAK_SECONDS) $(SOAK_FLEETS) $(SOAK_GREAT_FLEETS) $(SOAK_KILLS)

install: build
	tools/install build/release/src/hearth "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf build
