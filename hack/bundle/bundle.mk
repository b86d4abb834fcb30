##@ Installation

.PHONY: bundle
bundle: generate-api ## Generate the bundle, the catalogue and dist/install.yaml from config/
	go run ./hack/bundle/cmd/bundle

.PHONY: catalog
catalog: bundle ## The same: the catalogue says the bundle's digest
