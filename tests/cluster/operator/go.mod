// The CustomResourceDefinitions of the Prometheus Operator, for the tests. Nothing is compiled; `go mod tidy` would remove it.
module operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.94.1
