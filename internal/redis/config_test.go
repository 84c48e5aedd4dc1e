package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestValidate(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		c.URL = "redis://user:hunter2@127.0.0.1:6379/3"
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+":")) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error holds a secret: %v", err)
		}
	}
	f("", func(*Config) {})
	f("url", func(c *Config) { c.URL = "" })
	f("url", func(c *Config) { c.URL = "http://user:hunter2@127.0.0.1" })
	f("url", func(c *Config) { c.URL = "redis://user:hunter2@127.0.0.1:port" })
	f("mode", func(c *Config) { c.Mode = "many" })
	f("instance", func(c *Config) { c.Instance = "" })
	f("instance", func(c *Config) { c.Instance = "a:b" })
	f("instance", func(c *Config) { c.Instance = strings.Repeat("a", 64) })
	f("timeout", func(c *Config) { c.Timeout = time.Second })
	f("maxConnections", func(c *Config) { c.MaxConnections = 0 })
	f("url", func(c *Config) { c.Mode = Sentinel }) // without master_name
	f("", func(c *Config) { c.Mode, c.URL = Sentinel, c.URL+"?master_name=main&addr=127.0.0.1:2" })
	f("", func(c *Config) { c.Mode, c.URL = Cluster, "rediss://user:hunter2@127.0.0.1:6379?addr=127.0.0.1:6380" })
}

func TestClient(t *testing.T) {
	c := DefaultConfig()
	c.Mode, c.URL = Cluster, "rediss://user:secret@a:1?addr=b:2"
	client, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	o := client.(*redis.ClusterClient).Options()
	if len(o.Addrs) != 2 || o.Username != "user" || o.Password != "secret" || o.TLSConfig == nil || o.PoolSize != 32 || o.ReadTimeout != maxTimeout {
		t.Errorf("options %+v", o)
	}
}
