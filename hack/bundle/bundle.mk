##@ Installation

.PHONY: bundle
bundle: generate-api ## Generate the bundle, the catalogue and dist/install.yaml from config/
	go run ./hack/bundle/cmd/bundle

.PHONY: catalog
catalog: bundle ## The same: the catalogue says the bundle's digest

VERSION = $(shell sed -n 's/^  version: //p' config/manifests/clusterserviceversion.yaml)

# With the very Go that go.mod names, whatever newer one is installed, the same sources give the same digest.
IMAGE = GOTOOLCHAIN=go$(shell sed -n 's/^go //p' go.mod) go run ./hack/image --platforms linux/amd64,linux/arm64 --version $(VERSION)

.PHONY: images
images: ## Build the operator's image for all platforms into bin/images, push it and the bundle's to IMG if set, and pin its digest
	$(IMAGE) --layout bin/images $(if $(IMG),--push $(IMG)) --pin
	go run ./hack/bundle/cmd/bundle $(if $(IMG),--push $(IMG))

.PHONY: images-check
images-check: ## Build the image again; fail unless its digest is the one that is pinned
	$(IMAGE) --check

.PHONY: test-monitoring
test-monitoring: ## Test the alerts with Prometheus' engine
	cd test/monitoring && CGO_ENABLED=0 go test ./...

.PHONY: test-olm
test-olm: ## Install, upgrade and remove the bundle by a real OLM on the local cluster, which must be otherwise idle
	go test -count=1 -timeout 60m -tags e2e -v ./test/e2e/olm/...
