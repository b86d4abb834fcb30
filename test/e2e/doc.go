// Package e2e does with the operator what its users do, on a real cluster, and looks at what they see. Its tests have the
// build tag e2e:
//
//	go test -tags e2e -v ./test/e2e
//
// They bring the local cluster up, build the operator from the checkout and deploy it. With KUBECONFIG set they use that
// cluster and the operator there, the test images come from the repositories below $E2E_IMAGES (made by
// test/cluster/images), and what would disturb others there is left out.
//
// Each case has a namespace of its own, which enforces the restricted Pod Security Standard, and acts as a user who holds
// nothing but the cluster role edit there; only Containerfiles are built where baseline is enforced. Nothing is faked,
// and no case writes the status of anything. A case that fails prints its objects, events and logs.
//
// After a whole run on the local cluster, the manager's rights are compared with what it has asked for.
package e2e
