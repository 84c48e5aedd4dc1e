package devcloud

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// onlyByAddress answers requests whose Host is an IP address, localhost, or the host that the listener was given. A web page
// can have a browser look its own name up as 127.0.0.1, and so read what a port on this machine answers (DNS rebinding); the Host
// of its requests stays the name.
func onlyByAddress(listener string, next http.Handler) http.Handler {
	given, _, _ := net.SplitHostPort(listener)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwnHost(r.Host, given) {
			http.Error(w, "this port is used by address or as localhost, not by another name", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isOwnHost(host, given string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return strings.EqualFold(host, "localhost") || given != "" && strings.EqualFold(host, given)
}
