package presence

import (
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+": ")) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.Heartbeat = time.Millisecond }, "heartbeat")
	f(func(c *Config) { c.Heartbeat = time.Minute }, "heartbeat")
	f(func(c *Config) { c.Life = 3 * c.Heartbeat }, "life")
	f(func(c *Config) { c.Life = time.Hour }, "life")
	f(func(c *Config) { c.ClaimWait = 0 }, "claimWait")
	f(func(c *Config) { c.ClaimWait = time.Minute }, "claimWait")
	f(func(c *Config) { c.Verify = 0 }, "verify")
	f(func(c *Config) { c.MaxPause = 0 }, "maxPause")
	f(func(c *Config) { c.Keep = time.Second }, "keep")
	f(func(c *Config) { c.Outbox = 31 }, "outbox")
	f(func(c *Config) { c.Outbox = 5000 }, "outbox")
	f(func(c *Config) { c.Waiting = 0 }, "waiting")
	f(func(c *Config) { c.Drains = 1 }, "drains")
	f(func(c *Config) { c.MaxWill = -1 }, "maxWill")
	f(func(c *Config) { c.MaxWill = 1 << 20 }, "maxWill")
	f(func(c *Config) { c.WillBytes = -1 }, "willBytes")
}

func TestNewRefuses(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	defer client.Close()
	bad := DefaultConfig()
	bad.Life = 0
	if _, err := New(bad, client, "i", &recorder{}, nil); err == nil || !strings.Contains(err.Error(), "life") {
		t.Errorf("New with a bad configuration: %v", err)
	}
	if _, err := New(DefaultConfig(), client, "", &recorder{}, nil); err == nil {
		t.Error("New without an instance succeeded")
	}
}

func TestRunOnce(t *testing.T) {
	i := newInstallation(t, "redis://"+miniredis.RunT(t).Addr())
	p := i.process()
	if err := p.Run(t.Context()); err == nil {
		t.Error("Run twice succeeded")
	}
}

func TestKeysDoNotMeet(t *testing.T) {
	keys := newKeyspace("i")
	seen := map[string]string{}
	f := func(application, device string) {
		t.Helper()
		m := member(application, device)
		for _, key := range []string{keys.holder(m), keys.outbox(m), keys.lock(m), keys.held(m), keys.tombstone(m)} {
			if other, ok := seen[key]; ok {
				t.Errorf("%s %s and %s share the key %q", application, device, other, key)
			}
			if strings.Count(key, "{") != 1 || strings.Count(key, "}") != 1 || !strings.HasPrefix(key, "fairlead:{i}:presence:") {
				t.Errorf("key %q is outside of the hash tag", key)
			}
			if strings.ContainsAny(key, " \n") {
				t.Errorf("key %q has a space", key)
			}
			seen[key] = application + " " + device
		}
	}
	f("a", "b")
	f("a", "b:c")
	f("a:b", "c")
	f("a", "")
	f("", "a")
	f("a", "b c")
	f("a", "b+c")
	f("a", "b%20c")
	f("a", "b}{c")
	f("a", "b\nc")
	for _, key := range []string{keys.processes(), keys.graves(), keys.waiting(), keys.recovering(), keys.channels()} {
		if other, ok := seen[key]; ok {
			t.Errorf("%s shares the key %q", other, key)
		}
		seen[key] = key
	}
	if key := newKeyspace("a}b").processes(); strings.Count(key, "}") != 1 {
		t.Errorf("key %q", key)
	}
}
