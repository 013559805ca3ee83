# make test is the one command: it installs what the tests need and runs them all.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
TIMEOUT ?= 10m
FUZZTIME ?= 10s

.PHONY: test setup lint race fuzz bench fmt build clean

test: setup
	scripts/lint.sh
	go test -race -timeout $(TIMEOUT) ./...

setup:
	scripts/setup.sh

lint: setup
	scripts/lint.sh

race:
	go test -race -timeout $(TIMEOUT) ./...

fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

bench:
	go test -run '^$$' -bench . -benchmem ./...

fmt:
	find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -w

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/relay ./cmd/relay

clean:
	rm -rf bin tests/node/node_modules
