// Package kubetest is an API server for tests: discovery, server-side apply with field ownership, lists by label and page, deletion
// with preconditions and finalizers, as far as internal/kube uses them. It validates nothing: tests in test/knative do.
package kubetest
