##@ Installation

.PHONY: bundle
bundle: generate-api ## Generate the bundle, the catalogue and dist/install.yaml from config/
	go run ./hack/bundle/cmd/bundle

.PHONY: catalog
catalog: bundle ## The same: the catalogue says the bundle's digest

VERSION = $(shell sed -n 's/^  version: //p' config/manifests/clusterserviceversion.yaml)

.PHONY: images
images: ## Build the operator's image for all platforms into bin/images, or push it to IMG, and pin its digest
	go run ./hack/image --platforms linux/amd64,linux/arm64 --version $(VERSION) --layout bin/images $(if $(IMG),--push $(IMG)) --pin
	go run ./hack/bundle/cmd/bundle

.PHONY: test-monitoring
test-monitoring: ## Test the alerts with Prometheus' engine
	cd test/monitoring && CGO_ENABLED=0 go test ./...

.PHONY: test-olm
test-olm: ## Install, upgrade and remove the bundle by a real OLM on the local cluster, which must be otherwise idle
	go test -count=1 -timeout 60m -tags e2e -v ./test/e2e/olm/...
