// Package gatewaybin builds the gateways' program that is deployed and runs it as a process, so that tests and benchmarks
// meet what a cluster runs: its start, its signals, its limits.
package gatewaybin
