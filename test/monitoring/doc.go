// Package monitoring tests the alerts with Prometheus' own engine: each fires when it should, and not otherwise.
package monitoring
