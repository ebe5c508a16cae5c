# Two commands do everything on a machine with Go and make:
#
#	make run     build, and serve the demo chat
#	make test    build, and run every test
#
# `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

# Tools, fetched and built by the go command at these versions.
GOTESTSUM     := gotest.tools/gotestsum@v1.13.0
GOFUMPT       := mvdan.cc/gofumpt@v0.12.0
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Guests: the module that each directory of Go code is compiled to.
GUESTS := \
	examples/chat/module/chat.wasm \
	examples/conformance/guest/conformance.wasm \
	examples/bench/guest/bench.wasm

FUZZTIME ?= 60s
SOAK     ?= 10000000
CHANNELS ?= 1000000
WORLDS   ?= 1000000
DURATION ?= 20m
ADDR     ?= 127.0.0.1:4000
PORT     ?=
CTL      ?=
HANDLER  ?= go

.PHONY: help build run guests faults test race soak soak-sockets memory presence-fuzz hostile fuzz check bench performance bench-server bench-sandbox conformance-server clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

build: guests ## bin/aviary, with the demo in it
	CGO_ENABLED=0 go build -trimpath -o bin/aviary ./cmd/aviary

run: build ## serve the demo chat on ADDR
	./bin/aviary demo --addr $(ADDR)

guests: $(GUESTS) ## compile the example modules to WebAssembly

# What a guest is made of: its own files, the SDK, the ABI.
SDK_SOURCES := $(shell find sdk/go abi -name '*.go' ! -name '*_test.go') go.mod

define guest
$(1): $(wildcard $(2)/*.go) $(SDK_SOURCES)
	GOOS=wasip1 GOARCH=wasm go build -trimpath -buildmode=c-shared -ldflags='-s -w' -o $(1) ./$(2)
endef
$(eval $(call guest,examples/chat/module/chat.wasm,examples/chat/guest))
$(eval $(call guest,examples/conformance/guest/conformance.wasm,examples/conformance/guest))
$(eval $(call guest,examples/bench/guest/bench.wasm,examples/bench/guest))

faults: ## assemble the fault guests and the hostile ones again (needs wat2wasm, from Debian's wabt)
	plugins/testdata/faults/build.sh
	plugins/testdata/hostile/build.sh

test: build ## every test
	go run $(GOTESTSUM) --format pkgname-and-test-fails -- -shuffle=on -timeout 20m ./...

race: build ## every Go test under the race detector (needs a C compiler)
	CGO_ENABLED=1 go run $(GOTESTSUM) --format pkgname-and-test-fails -- -race -shuffle=on -timeout 30m ./...

soak: guests ## SOAK callbacks of a guest in Go, whose memory and ours must stay flat
	AVIARY_SOAK=$(SOAK) go test -count=1 -timeout 0 -run '^TestSoak$$' -v ./plugins

soak-sockets: bin/bench-server ## DURATION of mixed traffic for HANDLER: every message accounted for, and nothing may grow
	go run ./bench -handlers $(HANDLER) -soak $(DURATION)

memory: ## bytes of CHANNELS joined channels that do nothing, as a table of crowds; needs some gigabytes
	AVIARY_CHANNELS=$(CHANNELS) go test -count=1 -timeout 0 -run '^TestMemory' -v ./host | grep -Ev '^=== |^ *--- PASS'

presence-fuzz: ## WORLDS runs of nodes that share presences, with deltas lost, late and twice, restarts and retirements
	GOGC=400 AVIARY_PRESENCE_RUNS=$(WORLDS) go test -count=1 -timeout 0 -run '^TestWorlds$$' -v ./presence

hostile: ## what others notice of attacks, as a table: attack, error, quiet p99, p99, max (ms), RSS (KiB); the machine must be free
	AVIARY_HOSTILE=measure go test -count=1 -timeout 60m -run '^(TestHostile|TestCollector|TestBombs)' -v -p 1 \
		./cmd/aviary/app ./plugins ./plugins/hostile | grep -Ev '^=== |^ *--- PASS'

fuzz: ## every fuzz target, and random bytes at a server under the race detector, for FUZZTIME each
	AVIARY_CHAOS=$(FUZZTIME) CGO_ENABLED=1 go test -race -count=1 -timeout 0 -run '^TestRandomBytes' ./host/rfc6455
	@for pkg in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

check: ## formatting, vet, linters, tidy go.mod, clean tree
	@test -z "$$(go run $(GOFUMPT) -l . | tee /dev/stderr)" || { echo 'gofumpt: the files above are not formatted' >&2; exit 1; }
	go vet ./...
	GOOS=wasip1 GOARCH=wasm go vet ./abi ./sdk/go/... ./examples/*/guest
	go run $(STATICCHECK) ./...
	go run $(GOLANGCI_LINT) run ./...
	go mod tidy -diff
	@test -z "$$(git status --porcelain)" || { git status --short; echo 'check: the tree is not clean' >&2; exit 1; }

bin/bench-server: guests
	CGO_ENABLED=0 go build -trimpath -o $@ ./examples/bench

.PHONY: bin/bench-server

bin/bench-floor:
	CGO_ENABLED=0 go build -trimpath -o $@ ./bench/floor

.PHONY: bin/bench-floor

bench: bin/bench-server bin/bench-floor ## join, echo and fan-out: guests, native handler, and the least a server can do
	go run ./bench

performance: bin/bench-server bin/bench-floor ## docs/performance.md, from a run of all scenarios; the machine must be free
	go run ./bench -report docs/performance.md

bench-server: bin/bench-server ## serve examples/bench on PORT with HANDLER=go|c|rust|native
	PORT=$(or $(PORT),4900) HANDLER=$(HANDLER) exec bin/bench-server

bench-sandbox: ## cost of one callback, without sockets
	go test -run '^$$' -bench . -benchmem ./plugins

conformance-server: guests ## serve examples/conformance on PORT, its control on CTL
	CGO_ENABLED=0 go build -trimpath -o bin/conformance-server ./examples/conformance
	PORT=$(or $(PORT),4801) CTL=$(or $(CTL),4802) exec bin/conformance-server

clean: ## remove what was built
	rm -rf bin $(GUESTS)
