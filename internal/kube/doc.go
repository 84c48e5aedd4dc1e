// Package kube is a client of the Kubernetes API for programs that must stay small. It knows no schemas: an [Object] is its JSON.
// It applies, gets, lists and deletes objects of one namespace; kinds are found by discovery, so that a cluster which lacks one
// says so.
//
// Objects are written by server-side apply as the field manager "fairlead": fields that were applied before and are left out now
// are removed, and fields of others stay.
package kube
