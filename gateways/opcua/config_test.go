package opcua

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/forward"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		c.Mapping, c.Folder, c.Gateway = "m.yaml", "f", forward.GatewayConfig{Application: "plant", Device: "site"}
		change(&c)
		got := ""
		if err := config.Validate("opcua", &c); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("Validate names %q, want %q", got, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Mapping = "" }, "opcua.mapping")
	f(func(c *Config) { c.Folder = "" }, "opcua.folder")
	f(func(c *Config) { c.ApplicationURI = "urn: x" }, "opcua.applicationURI")
	f(func(c *Config) { c.Timeout = 0 }, "opcua.timeout")
	f(func(c *Config) { c.ReconnectDelay = time.Hour }, "opcua.reconnectDelay")
	f(func(c *Config) { c.KeepAlive = time.Hour }, "opcua.keepAlive")
	f(func(c *Config) { c.SessionTimeout = time.Second }, "opcua.sessionTimeout")
	f(func(c *Config) { c.Outage = time.Second }, "opcua.outage")
	f(func(c *Config) { c.Refresh = time.Second }, "opcua.refresh")
	f(func(c *Config) { c.Window = 0 }, "opcua.window")
	f(func(c *Config) { c.InFlight = 0 }, "opcua.inFlight")
	f(func(c *Config) { c.MaxMessage = 1 }, "opcua.maxMessage")
	f(func(c *Config) { c.MaxItems = 0 }, "opcua.maxItems")
	f(func(c *Config) { c.MaxCommands = 0 }, "opcua.maxCommands")
	f(func(c *Config) { c.CommandTimeout = 0 }, "opcua.commandTimeout")
	f(func(c *Config) { c.RetryDelay = 0 }, "opcua.retryDelay")
	f(func(c *Config) { c.AuthTimeout = time.Hour }, "opcua.authTimeout")
	f(func(c *Config) { c.DrainTimeout = -1 }, "opcua.drainTimeout")
	f(func(c *Config) { c.Gateway.Device = "" }, "opcua.gateway.device")
}
