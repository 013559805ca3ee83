# make test is the one command: it installs what the tests need and runs them all.

TIMEOUT ?= 10m
FUZZTIME ?= 10s
DURATION ?= 30m
SEED ?=
STORE ?=
IMAGE ?= docker.io/library/relay

.PHONY: test setup lint race chart-test kube-test fuzz chaos stampede growth bench fmt build image image-test clean

# Setup, then linters, then tests, even under make -j.
.NOTPARALLEL:

test: setup lint race

setup:
	scripts/setup.sh

lint: setup
	scripts/lint.sh

race:
	go test -race -timeout $(TIMEOUT) ./...
	go -C tools/image test -timeout $(TIMEOUT) ./... # no goroutines, so no race detector

# What of the Helm chart needs Helm: not part of test, because Helm takes
# minutes to install.
chart-test:
	scripts/setup.sh helm
	PATH="$(CURDIR)/bin:$$PATH" go test -tags chart -count 1 ./tests/chart

# Everything that needs a Kubernetes, against the cluster of KUBECONFIG; see
# tests/kube/README.md for what else it needs.
kube-test: chart-test
	PATH="$(CURDIR)/bin:$$PATH" go test -tags kube -v -count=1 -timeout 40m ./tests/kube/...

fuzz:
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

# Faults for DURATION, drawn from SEED (else from the time), and a report. STORE
# is standalone, sentinel or cluster (else SEED draws it).
chaos:
	go run ./tests/chaos/cmd/chaos -duration $(DURATION) $(if $(SEED),-seed $(SEED)) $(if $(STORE),-store $(STORE))

# Relays restarted under CLIENTS, else ten thousand, and a report.
stampede:
	go run ./tests/stampede/cmd/stampede -v $(if $(CLIENTS),-clients $(CLIENTS))

# How cost grows, drawn into docs/growth.svg; about ten minutes, of which
# nothing else should run.
growth:
	go run ./tests/growth/cmd/growth

bench:
	go test -run '^$$' -bench . -benchmem ./...

fmt:
	find . -name node_modules -prune -o -name '*.go' -print0 | xargs -0 gofmt -w

# The go command writes the version into the program: the tag or commit of git.
build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=auto -o bin/relay ./cmd/relay

# The container image as an OCI archive called IMAGE, and what it is made of.
image:
	go -C tools/image run . -repository ../.. -name $(IMAGE) -archive ../../bin/relay.oci.tar -sbom ../../bin/relay.sbom.json

# Builds the image of the last commit twice, compares, and runs it; as root.
image-test:
	scripts/image-test.sh

clean:
	rm -rf bin tests/node/node_modules
