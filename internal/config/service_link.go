package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Kubernetes puts variables into every container for each Service of its namespace, as Docker did for linked containers
// (kubernetes.io/docs/concepts/services-networking/service, environment variables). For a Service fairlead-mqtt they begin with FAIRLEAD_MQTT_,
// look like settings, and are none.
var serviceLinks = []struct {
	name  *regexp.Regexp // of the variable, without the name of the Service
	value func(string) bool
}{
	{regexp.MustCompile(`_SERVICE_HOST$`), isAddress},
	{regexp.MustCompile(`_SERVICE_PORT(_[A-Z0-9_]+)?$`), isPort},
	{regexp.MustCompile(`_PORT(_[0-9]+_(TCP|UDP|SCTP))?$`), isLink},
	{regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO$`), isProtocol},
	{regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)_PORT$`), isPort},
	{regexp.MustCompile(`_PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR$`), isAddress},
}

// isServiceLink recognises such a variable by its name and its value, so that a misspelt setting is still an error.
func isServiceLink(name, value string) bool {
	for _, link := range serviceLinks {
		if link.name.MatchString(name) && link.value(value) {
			return true
		}
	}
	return false
}

func isAddress(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

func isPort(value string) bool {
	_, err := strconv.ParseUint(value, 10, 16)
	return err == nil
}

func isProtocol(value string) bool { return slices.Contains([]string{"tcp", "udp", "sctp"}, value) }

// isLink recognises tcp://10.0.0.1:1883.
func isLink(value string) bool {
	protocol, address, found := strings.Cut(value, "://")
	if !found || !isProtocol(protocol) {
		return false
	}
	_, err := netip.ParseAddrPort(address)
	return err == nil
}

// withoutServiceLinks leaves out the variables of an environment that are service links and no settings.
func withoutServiceLinks(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, value, _ := strings.Cut(variable, "=")
		return isServiceLink(name, value)
	})
}
