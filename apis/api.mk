# Generation of what follows from the Go types of the API, and from what the controllers say that they need.

CONTROLLER_GEN_VERSION := v0.21.0
CONTROLLER_GEN := go run sigs.k8s.io/controller-tools/cmd/controller-gen@$(CONTROLLER_GEN_VERSION)

.PHONY: generate-api
generate-api: ## Generate the API's deepcopy methods and its CRDs
	$(CONTROLLER_GEN) object paths=./apis/... crd output:crd:artifacts:config=config/crd/bases

.PHONY: generate-rbac
generate-rbac: ## Generate the manager's role from the controllers' markers
	$(CONTROLLER_GEN) rbac:roleName=manager paths=./controllers/... output:rbac:artifacts:config=config/rbac
