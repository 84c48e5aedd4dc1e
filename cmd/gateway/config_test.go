package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/config"
)

var update = flag.Bool("update", false, "write docs/gateways.md anew")

const documented = "../../docs/gateways.md"

// page is docs/gateways.md as the code has it.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(`# Configuration of the gateways

Gateways are long-lived processes: ` + "`gateway mqtt`, `gateway coap`, `gateway bridge`" + `. Like functions they are configured by environment variables.
Durations are written like ` + "`250ms`, `10s` or `1m30s`" + `, lists with commas, and booleans as ` + "`true` or `false`" + `. A variable that begins with
` + "`FAIRLEAD_`" + ` and is not in this list stops the gateway with an error, and so does a value out of its range; errors name the setting by its
path, such as ` + "`mqtt.tls.certificateFile`" + `.

Every gateway needs ` + "`HEALTH`, `PROCESS`, `KAFKA`, `INGEST` and `AUTH`" + `: at least ` + "`FAIRLEAD_KAFKA_BROKERS` and `FAIRLEAD_AUTH_CLIENT_URL`" + `.
` + "`gateway mqtt`" + ` also needs ` + "`CACHE`, `PRESENCE` and `MQTT`" + `: at least ` + "`FAIRLEAD_CACHE_URL`" + `, the Redis in which processes agree who holds a device.
` + "`gateway coap` also needs `COAP`" + `; with a ` + "`FAIRLEAD_CACHE_URL`" + ` it hears at once of devices that are locked out.
` + "`gateway bridge`" + ` also needs ` + "`BRIDGE`" + `; with a ` + "`FAIRLEAD_CACHE_URL`" + ` it hears at once when its device is locked out.

This page is generated from the code: ` + "`go test ./cmd/gateway -run Documented -update`" + `.

`)
	c := DefaultConfig()
	b.WriteString(config.Markdown(config.Settings(prefix, &c)))
	return b.Bytes()
}

func TestConfigurationIsDocumented(t *testing.T) {
	if *update {
		if err := os.WriteFile(documented, page(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, page()) {
		t.Error("docs/gateways.md is not what the code says; run this test with -update")
	}
}

func TestEverySettingHasAMeaning(t *testing.T) {
	c := DefaultConfig()
	for _, s := range config.Settings(prefix, &c) {
		if s.Doc == "" {
			t.Errorf("%s has no doc tag", s.Name)
		}
		if !s.Secret && (strings.HasSuffix(s.Name, "_TOKEN") || strings.HasSuffix(s.Name, "_PASSWORD")) {
			t.Errorf("%s is not marked as secret", s.Name)
		}
	}
}

func named(t *testing.T, name string) gateway {
	t.Helper()
	g, ok := chosen([]string{name})
	if !ok {
		t.Fatalf("there is no gateway %s", name)
	}
	return g
}

func TestLoadConfig(t *testing.T) {
	enough := []string{
		"FAIRLEAD_KAFKA_BROKERS=localhost:9092", "FAIRLEAD_AUTH_CLIENT_URL=http://auth", "FAIRLEAD_CACHE_URL=redis://localhost",
		"FAIRLEAD_BRIDGE_BROKER_URL=mqtt://site", "FAIRLEAD_BRIDGE_PATTERNS=site/{device}/{channel...}",
		"FAIRLEAD_BRIDGE_GATEWAY_APPLICATION=a", "FAIRLEAD_BRIDGE_GATEWAY_DEVICE=gateway",
	}
	f := func(name, want string, more ...string) {
		t.Helper()
		_, err := loadConfig(named(t, name), append(enough[:len(enough):len(enough)], more...))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s with %v: %v, want %q", name, more, err, want)
		}
	}
	f("mqtt", "")
	f("bridge", "")
	f("bridge", "", "FAIRLEAD_CACHE_URL=")
	f("coap", "")
	f("coap", "coap.keyFile", "FAIRLEAD_COAP_CERTIFICATE_FILE=x")
	f("coap", "coap.address", "FAIRLEAD_COAP_SECURE_ADDRESS=")
	f("mqtt", "cache.url", "FAIRLEAD_CACHE_URL=")
	f("mqtt", "auth.client.url", "FAIRLEAD_AUTH_CLIENT_URL=")
	f("mqtt", "kafka.brokers", "FAIRLEAD_KAFKA_BROKERS=")
	f("mqtt", "mqtt.tls.certificateFile", "FAIRLEAD_MQTT_TLS_ADDRESS=:8883")
	f("mqtt", "mqtt.maxInFlight: must be below kafka.maxRecords", "FAIRLEAD_KAFKA_MAX_RECORDS=100")
	f("mqtt", "mqtt.maxInFlightBytes: must be below kafka.maxBytes", "FAIRLEAD_KAFKA_MAX_BYTES=2000000")
	f("mqtt", "mqtt.drainTimeout", "FAIRLEAD_MQTT_DRAIN_TIMEOUT=2s")
	f("bridge", "", "FAIRLEAD_KAFKA_MAX_RECORDS=100")
	f("mqtt", "health.address", "FAIRLEAD_HEALTH_ADDRESS=nowhere")
	f("mqtt", "FAIRLEAD_MQQT_X is not a setting", "FAIRLEAD_MQQT_X=1")
	f("bridge", "bridge.patterns", "FAIRLEAD_BRIDGE_PATTERNS=")
}
