package bridge

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := testConfig()
		change(&c)
		got := ""
		if err := config.Validate("bridge", &c); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("Validate names %q, want %q", got, want)
		}
	}
	f(func(c *Config) {}, "")
	f(func(c *Config) { c.Patterns = nil }, "bridge.patterns")
	f(func(c *Config) { c.Patterns = []string{"site/#"} }, "bridge.patterns")
	f(func(c *Config) { c.Patterns = []string{"a/{device}/{channel}", "a/{channel}/{device}"} }, "bridge.patterns")
	f(func(c *Config) { c.Patterns = make([]string, 65) }, "bridge.patterns")
	f(func(c *Config) { c.SharedGroup = "a/b" }, "bridge.sharedGroup")
	f(func(c *Config) { c.SharedGroup = "a+b" }, "bridge.sharedGroup")
	f(func(c *Config) { c.InFlight = 0 }, "bridge.inFlight")
	f(func(c *Config) { c.InFlight = 10_001 }, "bridge.inFlight")
	f(func(c *Config) { c.MaxPacket = 1023 }, "bridge.maxPacket")
	f(func(c *Config) { c.MaxPacket = 16<<20 + 1 }, "bridge.maxPacket")
	f(func(c *Config) { c.RetryDelay = 0 }, "bridge.retryDelay")
	f(func(c *Config) { c.AuthTimeout = time.Hour }, "bridge.authTimeout")
	f(func(c *Config) { c.DrainTimeout = -1 }, "bridge.drainTimeout")

	f(func(c *Config) { c.Gateway.Application = "Not A Name" }, "bridge.gateway.application")
	f(func(c *Config) { c.Gateway.Device = "" }, "bridge.gateway.device")

	f(func(c *Config) { c.Broker.ClientID = "" }, "bridge.broker.clientID")
	f(func(c *Config) { c.Broker.ClientID = "a\x00" }, "bridge.broker.clientID")
	f(func(c *Config) { c.Broker.Username = "\xff" }, "bridge.broker.username")
	f(func(c *Config) { c.Broker.Password = strings.Repeat("x", 1<<16) }, "bridge.broker.password")
	f(func(c *Config) { c.Broker.CertificateFile = "x" }, "bridge.broker.keyFile")
	f(func(c *Config) { c.Broker.KeyFile = "x" }, "bridge.broker.certificateFile")
	f(func(c *Config) { c.Broker.SessionExpiry = 1500 * time.Millisecond }, "bridge.broker.sessionExpiry")
	f(func(c *Config) { c.Broker.SessionExpiry = longestExpiry + time.Second }, "bridge.broker.sessionExpiry")
	f(func(c *Config) { c.Broker.KeepAlive = time.Second }, "bridge.broker.keepAlive")
	f(func(c *Config) { c.Broker.KeepAlive = 24 * time.Hour }, "bridge.broker.keepAlive")
	f(func(c *Config) { c.Broker.ConnectTimeout = 0 }, "bridge.broker.connectTimeout")
	f(func(c *Config) { c.Broker.ReconnectDelay = time.Hour }, "bridge.broker.reconnectDelay")
}

func TestBrokerURL(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got := ""
		if u, err := parseURL(text); err == nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	f("mqtt://broker", "mqtt://broker:1883")
	f("mqtts://broker/", "mqtts://broker:8883/")
	f("ws://broker/mqtt", "ws://broker:80/mqtt")
	f("wss://broker", "wss://broker:443")
	f("mqtt://[::1]", "mqtt://[::1]:1883")
	f("mqtt://broker:", "mqtt://broker:1883")
	f("mqtt://broker:1884", "mqtt://broker:1884")
	f("", "")
	f("broker:1883", "")
	f("mqtt://", "")
	f("http://broker", "")
	f("mqtt://me:secret@broker", "")
	f("mqtt://broker/path", "")
	f("ws://broker/?token=x", "")
	f("ws://broker/#x", "")
	f("mqtt://broker:port", "")
}

// TestSettings has every value documented, and the passwords kept out of documentation.
func TestSettings(t *testing.T) {
	c := DefaultConfig()
	secrets := map[string]bool{}
	for _, s := range config.Settings("FAIRLEAD_BRIDGE", &c) {
		if s.Doc == "" {
			t.Errorf("%s is not documented", s.Name)
		}
		if s.Secret {
			secrets[s.Name] = true
		}
	}
	if len(secrets) != 2 || !secrets["FAIRLEAD_BRIDGE_BROKER_PASSWORD"] || !secrets["FAIRLEAD_BRIDGE_GATEWAY_PASSWORD"] {
		t.Errorf("secrets %v", secrets)
	}
}
