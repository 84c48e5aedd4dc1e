package mqtt

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/config"
	"github.com/fairlead/fairlead/internal/kafka"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if err := config.Validate("", &c); field(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("", func(*Config) {})
	f("tcp.address", func(c *Config) { c.TCP.Address = "1883" })
	f("tcp.address", func(c *Config) { c.TCP.Address = "" })
	f("connection.maxPacket", func(c *Config) { c.Connection.MaxPacket = 1 })
	f("authTimeout", func(c *Config) { c.AuthTimeout = time.Millisecond })
	f("authTimeout", func(c *Config) { c.AuthTimeout = c.Connection.ConnectTimeout })
	f("maxSubscriptions", func(c *Config) { c.MaxSubscriptions = 0 })
	f("drainTimeout", func(c *Config) { c.DrainTimeout = 0 })
}

func TestDefaultsStayBelowKafkas(t *testing.T) {
	c, k := DefaultConfig(), kafka.DefaultConfig()
	if c.MaxInFlight >= k.MaxRecords || c.MaxInFlightBytes >= k.MaxBytes {
		t.Errorf("%d messages and %d bytes would be refused by Kafka's client before the gateway stops reading", c.MaxInFlight, c.MaxInFlightBytes)
	}
}
