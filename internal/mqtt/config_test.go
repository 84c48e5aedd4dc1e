package mqtt

import (
	"strings"
	"testing"
	"time"
)

func TestConfigValidate(t *testing.T) {
	f := func(field string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if field == "" && err != nil {
			t.Errorf("refused: %v", err)
		}
		if field != "" && (err == nil || !strings.HasPrefix(err.Error(), field+": ")) {
			t.Errorf("%s: got %v", field, err)
		}
	}
	f("", func(*Config) {})
	f("maxPacket", func(c *Config) { c.MaxPacket = 1023 })
	f("maxPacket", func(c *Config) { c.MaxPacket = 1<<20 + 1 })
	f("maxConnectPacket", func(c *Config) { c.MaxConnectPacket = 255 })
	f("maxConnectPacket", func(c *Config) { c.MaxConnectPacket = c.MaxPacket + 1 })
	f("", func(c *Config) { c.MaxConnectPacket = c.MaxPacket })
	f("receiveMaximum", func(c *Config) { c.ReceiveMaximum = 0 })
	f("receiveMaximum", func(c *Config) { c.ReceiveMaximum = 65536 })
	f("topicAliasMaximum", func(c *Config) { c.TopicAliasMaximum = -1 })
	f("", func(c *Config) { c.TopicAliasMaximum = 0 })
	f("topicAliasBytes", func(c *Config) { c.TopicAliasBytes = -1 })
	f("connectTimeout", func(c *Config) { c.ConnectTimeout = 0 })
	f("connectTimeout", func(c *Config) { c.ConnectTimeout = time.Hour })
	f("maxKeepAlive", func(c *Config) { c.MaxKeepAlive = 19 * time.Hour })
	f("maxKeepAlive", func(c *Config) { c.MaxKeepAlive = 90*time.Second + 1 })
	f("keepAlive", func(c *Config) { c.KeepAlive = 0 })
	f("keepAlive", func(c *Config) { c.KeepAlive = c.MaxKeepAlive + time.Second })
	f("maxConnections", func(c *Config) { c.MaxConnections = 0 })
	f("maxUnadmitted", func(c *Config) { c.MaxUnadmitted = 0 })
	f("connectRate", func(c *Config) { c.ConnectRate = 0 })
	f("connectBurst", func(c *Config) { c.ConnectBurst = 0 })
	f("connectsAtOnce", func(c *Config) { c.ConnectsAtOnce = 0 })
	f("deliveryQueue", func(c *Config) { c.DeliveryQueue = 0 })
	f("deliveryBytes", func(c *Config) { c.DeliveryBytes = 1000 })
	f("writeTimeout", func(c *Config) { c.WriteTimeout = 0 })
}
