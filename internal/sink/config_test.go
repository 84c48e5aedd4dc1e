package sink

import (
	"strings"
	"testing"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := configured("http://broker.example/x")
		change(&c)
		got := ""
		if err := c.Validate(); err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
	f("", func(*Config) {})
	for _, bad := range []string{"", "broker", "ftp://a.example", "http://", "https://u:p@a.example"} {
		f("url", func(c *Config) { c.URL = bad })
	}
	f("", func(c *Config) { c.CEOverrides = `{"extensions":{"a1":"x"}}` })
	f("", func(c *Config) { c.CEOverrides = `{}` })
	for _, bad := range []string{"x", `[]`, `{"extensions":{"A":"x"}}`, `{"extensions":{"":"x"}}`, `{"extensions":{"id":"x"}}`, `{"extensions":{"a":1}}`} {
		f("ceOverrides", func(c *Config) { c.CEOverrides = bad })
	}
	f("caCerts", func(c *Config) { c.CACerts = "x" })
	f("deliveryTimeout", func(c *Config) { c.DeliveryTimeout = 0 })
	f("maxRecords", func(c *Config) { c.MaxRecords = 0 })
	f("maxBytes", func(c *Config) { c.MaxBytes = 0 })
	f("concurrency", func(c *Config) { c.Concurrency = 0 })
}

func TestBind(t *testing.T) {
	c := DefaultConfig()
	c.Bind([]string{"K_SINK=http://a.example", "K_CE_OVERRIDES={}", "K_CA_CERTS=x=y", "OTHER=z"})
	if c.URL != "http://a.example" || c.CEOverrides != "{}" || c.CACerts != "x=y" || !c.InUse() {
		t.Errorf("%+v", c)
	}
	c.Bind([]string{"K_SINK=http://b.example"})
	if c.URL != "http://a.example" {
		t.Errorf("a setting gives way: %s", c.URL)
	}
}
