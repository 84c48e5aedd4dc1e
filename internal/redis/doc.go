// Package redis is what everything that uses Redis shares: the configuration, a client of one server, of Sentinel or of a
// cluster, the names of keys, and a subscription that notices when it hears nothing any more.
package redis
