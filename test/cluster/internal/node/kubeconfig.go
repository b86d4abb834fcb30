package node

import (
	"fmt"

	"sigs.k8s.io/yaml"

	"github.com/meteor-zone/meteor-operator/test/cluster/internal/pki"
)

// kubeconfig makes a client's certificate and the file with which the client
// reaches the apiserver at an address.
func kubeconfig(ca *pki.Authority, subject pki.Subject, address string) ([]byte, error) {
	pair, err := ca.Issue(subject)
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	const name = "meteor-cluster"
	content, err := yaml.Marshal(object{
		"apiVersion":      "v1",
		"kind":            "Config",
		"current-context": name,
		"clusters": []object{{"name": name, "cluster": object{
			"server":                     "https://" + address,
			"certificate-authority-data": ca.Cert,
		}}},
		"users": []object{{"name": subject.Name, "user": object{
			"client-certificate-data": pair.Cert,
			"client-key-data":         pair.Key,
		}}},
		"contexts": []object{{"name": name, "context": object{"cluster": name, "user": subject.Name}}},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot write the kubeconfig of %s: %w", subject.Name, err)
	}
	return content, nil
}
