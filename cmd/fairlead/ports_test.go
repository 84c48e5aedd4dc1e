package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

// parsedDev parses a command line of `fairlead dev`.
func parsedDev(t *testing.T, arguments ...string) (*devCommand, error) {
	t.Helper()
	var c cli
	parser, err := kong.New(&c, kong.Writers(io.Discard, io.Discard), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"dev"}, arguments...))
	return &c.Dev, err
}

func TestPorts(t *testing.T) {
	t.Setenv("FAIRLEAD_AUTH_ADDRESS", "127.0.0.1:7000")
	all := func(c *devCommand) (list []string) {
		for _, a := range c.addresses() {
			list = append(list, *a.value)
		}
		return list
	}
	f := func(arguments string, want ...string) {
		t.Helper()
		c, err := parsedDev(t, strings.Fields(arguments)...)
		if err != nil {
			t.Fatalf("%s: %v", arguments, err)
		}
		if diff := cmp.Diff(want, all(c)); diff != "" {
			t.Errorf("%s: %s", arguments, diff)
		}
	}
	const free = "127.0.0.1:0"
	f("--ports-from 9000 --mqtt-ws= --http 127.0.0.1:8080 --api 0.0.0.0:1",
		"127.0.0.1:8080", "127.0.0.1:9001", "127.0.0.1:9002", "", "127.0.0.1:9004", "127.0.0.1:9005", "127.0.0.1:9006",
		"0.0.0.0:1", "127.0.0.1:9008", "127.0.0.1:7000", "127.0.0.1:9010", "127.0.0.1:9011", "127.0.0.1:9012", "127.0.0.1:9013", "127.0.0.1:9014", "127.0.0.1:9015")
	f("--random-ports", free, free, free, free, free, free, free, free, free, "127.0.0.1:7000", free, free, free, free, free, free)
	f("", "127.0.0.1:8080", "127.0.0.1:1883", "127.0.0.1:8883", "127.0.0.1:20880", "127.0.0.1:8884", "127.0.0.1:5683",
		"127.0.0.1:5684", "127.0.0.1:8081", "127.0.0.1:8086", "127.0.0.1:7000", "127.0.0.1:8084", "127.0.0.1:8090", "127.0.0.1:8091",
		"127.0.0.1:18883", "127.0.0.1:8082", "127.0.0.1:8443")

	for arguments, want := range map[string]string{
		"--ports-from 65530":               "between 1 and 65520",
		"--ports-from=-1":                  "between 1",
		"--ports-from x":                   "ports-from",
		"--ports-from 9000 --random-ports": "can't be used together",
	} {
		if _, err := parsedDev(t, strings.Fields(arguments)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", arguments, err, want)
		}
	}
}

func TestPortsKnowEveryAddress(t *testing.T) {
	// The default ports are all moved: with --random-ports none of them is left.
	c, err := parsedDev(t, "--random-ports")
	if err != nil {
		t.Fatal(err)
	}
	config := c.config()
	for _, address := range []string{
		config.HTTP, config.MQTT, config.MQTTS, config.MQTTWS, config.MQTTWSS, config.COAP, config.COAPS, config.API,
		config.Identity, config.Auth, config.Metrics, config.Receiver, config.DeadLetters, config.KafkaAddress, config.RedisAddress,
		config.HTTPS,
	} {
		if address != "127.0.0.1:0" {
			t.Errorf("%s", address)
		}
	}
}
