package main

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/alecthomas/kong"
)

const maxPort = 65535

// An address is one at which `fairlead dev` listens.
type address struct {
	flag  string
	value *string
}

// addresses are those of the flags that have a port by default, in their order.
func (c *devCommand) addresses() []address {
	return []address{
		{"http-address", &c.HTTP}, {"mqtt-tcp-address", &c.MQTT}, {"mqtt-tls-address", &c.MQTTS}, {"mqtt-web-socket-address", &c.MQTTWS}, {"mqtt-web-socket-tls-address", &c.MQTTWSS},
		{"coap-address", &c.COAP}, {"coap-secure-address", &c.COAPS}, {"api-address", &c.API}, {"identity-address", &c.Identity}, {"auth-address", &c.Auth},
		{"metrics-address", &c.Metrics}, {"receiver-address", &c.Receiver}, {"dead-letters-address", &c.DeadLetters},
		{"integration-mqtt-tcp-address", &c.Consumers}, {"integration-web-address", &c.ConsumerWeb},
		{"http-tls-address", &c.HTTPS},
	}
}

// AfterApply moves the addresses that the user did not give to other ports, if asked for. kong calls it.
func (c *devCommand) AfterApply(parsed *kong.Context) error {
	if c.PortsFrom == 0 && !c.RandomPorts {
		return nil
	}
	return c.movePorts(givenFlags(parsed))
}

func (c *devCommand) movePorts(given map[string]bool) error {
	all := c.addresses()
	if last := maxPort - len(all) + 1; !c.RandomPorts && (c.PortsFrom < 1 || c.PortsFrom > last) {
		return fmt.Errorf("--ports-from: must be between 1 and %d, since %d ports are taken from there on", last, len(all))
	}
	for i, a := range all {
		if given[a.flag] || *a.value == "" {
			continue
		}
		host, _, err := net.SplitHostPort(*a.value)
		if err != nil {
			return fmt.Errorf("--%s: %w", a.flag, err)
		}
		port := 0
		if !c.RandomPorts {
			port = c.PortsFrom + i
		}
		*a.value = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return nil
}

// givenFlags are the names of the flags that the user gave, on the command line or by environment variables.
func givenFlags(parsed *kong.Context) map[string]bool {
	given := map[string]bool{}
	for _, element := range parsed.Path {
		if element.Flag != nil {
			given[element.Flag.Name] = true
		}
	}
	for _, flag := range parsed.Flags() {
		for _, variable := range flag.Envs {
			if _, set := os.LookupEnv(variable); set {
				given[flag.Name] = true
			}
		}
	}
	return given
}
