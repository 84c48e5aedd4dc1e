// Package cluster tests and measures Fairlead on a whole cluster with Knative. test/cluster/run compiles and runs it where the cluster
// can be reached; docs/deploy.md says how.
package cluster
