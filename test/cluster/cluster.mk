##@ The local cluster; see test/cluster/README.md
CLUSTER := go run ./test/cluster/cmd/cluster

.PHONY: cluster-up
cluster-up: ## Bring the local cluster up, or what is missing of it
	$(CLUSTER) up

.PHONY: cluster-olm
cluster-olm: cluster-up ## Put OLM onto the local cluster
	$(CLUSTER) olm

.PHONY: cluster-down
cluster-down: ## End the local cluster; what was built and pushed is kept
	$(CLUSTER) down

.PHONY: cluster-status
cluster-status: ## Say how the local cluster fares
	$(CLUSTER) status
