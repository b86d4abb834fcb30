module github.com/meteor-zone/meteor-operator/test/cluster/dns

go 1.24.0

require github.com/coredns/coredns v1.13.1

require github.com/apparentlymart/go-cidr v1.1.0 // indirect

require github.com/coredns/caddy v1.1.4-0.20250930002214-15135a999495 // indirect

require github.com/go-logr/logr v1.4.3 // indirect

require github.com/grpc-ecosystem/grpc-opentracing v0.0.0-20180507213350-8e809c8a8645 // indirect

require github.com/matttproud/golang_protobuf_extensions v1.0.4 // indirect

require github.com/miekg/dns v1.1.68 // indirect

require github.com/opentracing/opentracing-go v1.2.0 // indirect

require github.com/prometheus/client_golang v1.23.0 // indirect

require github.com/prometheus/client_model v0.6.2 // indirect

require github.com/prometheus/common v0.66.1 // indirect

require github.com/quic-go/quic-go v0.55.0 // indirect

require go.uber.org/automaxprocs v1.6.0 // indirect

require golang.org/x/crypto v0.42.0 // indirect

require golang.org/x/sys v0.36.0 // indirect

require google.golang.org/grpc v1.75.1 // indirect

require google.golang.org/protobuf v1.36.10 // indirect

require k8s.io/api v0.34.1 // indirect

require k8s.io/apimachinery v0.34.1 // indirect

require k8s.io/client-go v0.34.1 // indirect

require k8s.io/klog/v2 v2.130.1 // indirect

require sigs.k8s.io/mcs-api v0.3.0 // indirect

require github.com/beorn7/perks v1.0.1 // indirect

require github.com/cespare/xxhash/v2 v2.3.0 // indirect

require github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc // indirect

require github.com/emicklei/go-restful/v3 v3.12.2 // indirect

require github.com/flynn/go-shlex v0.0.0-20150515145356-3f9db97f8568 // indirect

require github.com/fxamacker/cbor/v2 v2.9.0 // indirect

require github.com/go-openapi/jsonpointer v0.21.0 // indirect

require github.com/go-openapi/jsonreference v0.20.2 // indirect

require github.com/go-openapi/swag v0.23.0 // indirect

require github.com/gogo/protobuf v1.3.2 // indirect

require github.com/golang/protobuf v1.5.4 // indirect

require github.com/google/gnostic-models v0.7.0 // indirect

require github.com/google/go-cmp v0.7.0 // indirect

require github.com/google/uuid v1.6.0 // indirect

require github.com/josharian/intern v1.0.0 // indirect

require github.com/json-iterator/go v1.1.12 // indirect

require github.com/mailru/easyjson v0.7.7 // indirect

require github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect

require github.com/modern-go/reflect2 v1.0.3-0.20250322232337-35a7c28c31ee // indirect

require github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect

require github.com/pkg/errors v0.9.1 // indirect

require github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2 // indirect

require github.com/prometheus/procfs v0.16.1 // indirect

require github.com/spf13/pflag v1.0.6 // indirect

require github.com/x448/float16 v0.8.4 // indirect

require go.yaml.in/yaml/v2 v2.4.2 // indirect

require go.yaml.in/yaml/v3 v3.0.4 // indirect

require golang.org/x/mod v0.27.0 // indirect

require golang.org/x/net v0.45.0 // indirect

require golang.org/x/oauth2 v0.31.0 // indirect

require golang.org/x/sync v0.17.0 // indirect

require golang.org/x/term v0.35.0 // indirect

require golang.org/x/text v0.29.0 // indirect

require golang.org/x/time v0.13.0 // indirect

require golang.org/x/tools v0.36.0 // indirect

require google.golang.org/genproto/googleapis/rpc v0.0.0-20250929231259-57b25ae835d4 // indirect

require gopkg.in/evanphx/json-patch.v4 v4.12.0 // indirect

require gopkg.in/inf.v0 v0.9.1 // indirect

require gopkg.in/yaml.v3 v3.0.1 // indirect

require k8s.io/kube-openapi v0.0.0-20250710124328-f3f2b991d03b // indirect

require k8s.io/utils v0.0.0-20250604170112-4c0f3b243397 // indirect

require sigs.k8s.io/json v0.0.0-20241014173422-cfa47c3a1cc8 // indirect

require sigs.k8s.io/randfill v1.0.0 // indirect

require sigs.k8s.io/structured-merge-diff/v6 v6.3.0 // indirect

require (
	github.com/google/pprof v0.0.0-20241210010833-40e02aabc2ad // indirect
	github.com/rogpeppe/go-internal v1.14.1 // indirect
	sigs.k8s.io/yaml v1.6.0 // indirect
)
