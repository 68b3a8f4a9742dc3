# SPDX-License-Identifier: MIT
# The front door. `make run` and `make test` each work alone on a bare Debian 12: they install what is missing and build.

FILE ?= README.md
.DEFAULT_GOAL := help
.PHONY: help packages build run pictures test fidelity bench bench-rings bench-machine bench-checks clean

help: ## list the targets
	@printf 'Isthmus: memory shared between Windows drivers and programs\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1\t\2/p' Makefile | expand -t 18

packages: ## install the Debian packages that are missing
	@packaging/install-packages

build: packages ## build everything into out/
	@cmake/quiet cmake --preset nt
	@cmake --build --preset nt
	@cmake/quiet cmake --preset host
	@cmake --build --preset host

run: build ## the main job: every way of sharing, on the bytes of FILE=path
	@out/machine/ntrun --add "$(FILE)" --add out/kit/isthmus.sys out/kit/isthmus.exe demo --file "$(notdir $(FILE))"

pictures: build ## draw the pictures of docs/ways again, on the machine
	@docs/ways/make-pictures

test: build ## all tests, native and in the machine
	@ctest --preset host

fidelity: ## write docs/fidelity.md anew, from the tests
	@docs/fidelity/generate

bench-checks: build ## what the verifier's modes cost, in instructions
	@bench/checks/run

bench: bench-rings bench-machine ## measure; tables and plots in out/bench, explained in docs/performance.md

bench-rings: ## of these: rings between two threads of this machine
	@packaging/install-packages bench/packages.txt
	@cmake/quiet cmake -S bench -B build/bench -G Ninja
	@cmake/quiet cmake --build build/bench
	@build/bench/ring_bench --out out/bench $(BENCH)
	@bench/native/tables out/bench/ring.json > out/bench/ring.md
	@gnuplot -e "folder='out/bench'" bench/ring.gp

bench-machine: build ## of these: requests, MDLs, views and channels on the machine, in exact instructions
	@bench/machine/run

clean: ## remove what was built
	@rm -rf build out
