// Package authfn is the device authentication API: the three questions of internal/auth over HTTP, for gateways and
// functions that do not judge credentials themselves.
//
// The operation for keys answers with a pre-shared key; no other answer holds a secret. The API is for callers inside
// the cluster. Label the function cluster-local, and set a token where others share the cluster's network.
package authfn
