package cache

import (
	"net/url"

	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/internal/registry"
)

// anchored is the kind of the lists of applications that have a trust anchor of a subject.
const anchored registry.ChangeKind = "anchored"

// A name is what somebody looks up: an application by name, the applications that have a trust anchor of a subject, or a device
// of an application by alias.
type name struct {
	kind               registry.ChangeKind
	application, alias string // application is "" for applications
}

// valid tells whether anything can have that name. It keeps what strangers send out of Redis's key space if it is not
// even a name.
func (n name) valid() bool {
	if n.kind == registry.DeviceChanged && registry.ValidateApplicationName(n.application) != nil {
		return false
	}
	return registry.ValidateAlias(n.alias) == nil
}

// names lists everything by which what changed may be cached.
func names(change registry.Change) []name {
	list := make([]name, len(change.Aliases))
	for i, alias := range change.Aliases {
		list[i] = name{kind: change.Kind, alias: alias}
		switch {
		case change.Kind == registry.DeviceChanged:
			list[i].application = change.Application
		case alias != change.Application:
			list[i].kind = anchored
		}
	}
	return list
}

// keyspace is the prefix of all keys of one installation.
type keyspace string

func newKeyspace(instance string) keyspace { return keyspace(redis.Keys(instance)) }

// entry is the key of a document. Every part that somebody else chooses is percent-encoded, which leaves no colon in
// it, so that no two names share a key.
func (k keyspace) entry(n name) string {
	switch n.kind {
	case registry.ApplicationChanged:
		return string(k) + "app:" + url.QueryEscape(n.alias)
	case anchored:
		return string(k) + "anchored:" + url.QueryEscape(n.alias)
	}
	return string(k) + "dev:" + url.QueryEscape(n.application) + ":" + url.QueryEscape(n.alias)
}

// lease is the key of the lease on an entry.
func (k keyspace) lease(entry string) string { return string(k) + "lease:" + entry[len(k):] }

// channel is where changes are published.
func (k keyspace) channel() string { return string(k) + "changes" }

// all lists the entries of what changed, and the leases on them.
func (k keyspace) all(change registry.Change) []string {
	var keys []string
	for _, n := range names(change) {
		key := k.entry(n)
		keys = append(keys, key, k.lease(key))
	}
	return keys
}
