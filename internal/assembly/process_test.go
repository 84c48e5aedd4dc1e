package assembly

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/auth"
)

// fields is a configuration with what a rule compares.
type fields struct {
	MQTT  struct{ MaxInFlight int }
	Kafka struct{ MaxRecords int64 }
}

func TestRule(t *testing.T) {
	f := func(r Rule, first int, second int64, want string) {
		t.Helper()
		var c fields
		c.MQTT.MaxInFlight, c.Kafka.MaxRecords = first, second
		got := ""
		if err := r.check(&c); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%v with %d and %d: %q, want %q", r, first, second, got, want)
		}
	}
	below := Rule{"mqtt.maxInFlight", BeBelow, "kafka.maxRecords"}
	f(below, 1, 2, "")
	f(below, 2, 2, "mqtt.maxInFlight: must be below kafka.maxRecords")
	notBelow := Rule{"mqtt.maxInFlight", NotBeBelow, "kafka.maxRecords"}
	f(notBelow, 2, 2, "")
	f(notBelow, 1, 2, "mqtt.maxInFlight: must not be below kafka.maxRecords")
	f(Rule{"mqtt.maxInFlight", BeBelow, "kafka.maxRecord"}, 1, 2, "kafka.maxRecord: there is no such number among the settings")
}

func TestValidatedGroups(t *testing.T) {
	f := func(kind Kind, name, authentication, cache string, want ...string) {
		t.Helper()
		p, ok := Find(kind, name)
		if !ok {
			t.Fatalf("there is no %s %s", kind, name)
		}
		c, a := DefaultConfig(), auth.DefaultConfig()
		c.Cache.URL, a.Client.URL = cache, authentication
		if got := p.validated(&c, &a); !slices.Equal(got, want) {
			t.Errorf("%s with %q and %q: %q, want %q", name, authentication, cache, got, want)
		}
	}
	f(Function, Telemetry, "", "", "assertion", "auth", "cache", "database", "ingest", "kafka", "process", "proxies", "self", "telemetry")
	f(Function, Telemetry, "http://auth", "", "assertion", "auth", "ingest", "kafka", "process", "proxies", "self", "telemetry")
	f(Function, Telemetry, "http://auth", "redis://r", "assertion", "auth", "cache", "ingest", "kafka", "process", "proxies", "self", "telemetry")
	f(Function, Auth, "http://auth", "", "api", "auth", "cache", "database", "process", "proxies", "self", "user")
	f(Function, DeviceRegistry, "http://auth", "", "cache", "changes", "database", "kafka", "process", "proxies", "registry", "user")
	f(Gateway, MQTT, "http://auth", "", "auth", "cache", "health", "ingest", "kafka", "mqtt", "presence", "process", "self")
	f(Gateway, CoAP, "http://auth", "", "auth", "coap", "health", "ingest", "kafka", "process", "self")
	f(Gateway, HTTP, "http://auth", "", "assertion", "auth", "health", "http", "process", "self")
}

func TestNamesAreOne(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Processes {
		if seen[p.service()] || p.Summary == "" {
			t.Errorf("%s %s has no summary, or the name of another", p.Kind, p.Name)
		}
		seen[p.service()] = true
	}
	if _, ok := Find(Gateway, Telemetry); ok {
		t.Error("a function is found among the gateways")
	}
}
