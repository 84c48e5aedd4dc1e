// Package forwarded finds out who sent an HTTP request that came through proxies, by what those of them say that the
// configuration names. What anybody else writes into a request is not believed.
package forwarded
