# What a person types. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

MODULE := github.com/meteor-zone/meteor-operator
GOLANGCI_LINT_VERSION := v2.12.2

# The binaries of the image are static and the same on every machine.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w"

include apis/api.mk
include test/cluster/cluster.mk
include hack/bundle/bundle.mk

##@ General

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
	  /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The operator on a cluster: the local one, or the one that KUBECONFIG names

.PHONY: demo
demo: ## Import a Jupyter image on a real cluster, and open it
	go run ./hack/demo

.PHONY: deploy
deploy: ## Install the operator, built from this checkout
	go run ./hack/deploy

##@ Tests

.PHONY: test
test: unit test-e2e ## Everything

.PHONY: unit
unit: test-tools vet test-envtest test-monitoring ## What needs no cluster

# The race detector links with gcc; the packages about Python are tested with a real pip, those about repositories with git.
.PHONY: test-tools
test-tools: ## Install what the tests need and a bare Debian lacks
	@missing=(); \
	command -v gcc >/dev/null || missing+=(gcc libc6-dev); \
	command -v git >/dev/null || missing+=(git); \
	python3 -c 'import pip, ensurepip' 2>/dev/null || missing+=(python3-pip python3-venv); \
	[ $${#missing[@]} -eq 0 ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$${missing[@]}"; }

.PHONY: vet
vet: ## go vet, and formatting
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted: $$unformatted"; exit 1; }
	go vet ./...
	go vet -tags e2e ./test/e2e/...

.PHONY: test-envtest
test-envtest: ## Unit tests and those on a real kube-apiserver, with the race detector
	KUBEBUILDER_ASSETS=$$(go run ./test/cluster/cmd/cluster assets) go test -race ./...

.PHONY: test-e2e
test-e2e: ## What users do, on a cluster; on the local one also that the manager has the rights that it uses and no others
	go test -count=1 -timeout 45m -tags e2e -v ./test/e2e

.PHONY: bench
bench: ## Print the figures, from the local cluster
	go run ./test/bench

.PHONY: bench-config
bench-config: ## Print the figures about many namespaces, from an API server without nodes
	KUBEBUILDER_ASSETS=$$(go run ./test/cluster/cmd/cluster assets) go run ./test/bench/config

.PHONY: bench-meteor
bench-meteor: ## Print the figures about ten thousand Meteors, from an API server without nodes; takes twelve minutes
	KUBEBUILDER_ASSETS=$$(go run ./test/cluster/cmd/cluster assets) go run ./test/bench/meteor

.PHONY: bench-build
bench-build: ## Print how builds compare with buildah and with pip alone
	go run ./test/bench -builds 5

##@ Development

.PHONY: build
build: ## Build the binaries into bin/
	$(GO_BUILD) -o bin/ ./cmd/...

.PHONY: generate
generate: generate-api generate-rbac bundle ## Generate everything that is generated

.PHONY: manifests
manifests: generate ## The same, by its customary name

.PHONY: fmt
fmt: ## Format the code
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) fmt

.PHONY: lint
lint: ## Lint the code
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) run

.PHONY: verify
verify: generate tidy ## Generate again; fail on any difference
	@git diff --exit-code || { echo "generated files differ: commit what 'make verify' has changed"; exit 1; }
	@untracked=$$(git ls-files --others --exclude-standard); [ -z "$$untracked" ] || { echo "not in git: $$untracked"; exit 1; }

.PHONY: tidy
tidy: ## Tidy go.mod
	go mod tidy
