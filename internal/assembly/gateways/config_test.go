package gateways

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/assembly"
	"github.com/fairlead/fairlead/internal/assembly/assemblytest"
)

const introduction = `# Configuration of the gateways

Gateways are long-lived processes: ` + "`gateway mqtt`, `gateway coap`, `gateway http`, `gateway bridge`, `gateway opcua`, `gateway integration`" + `. Like functions they are configured by environment variables.
Durations are written like ` + "`250ms`, `10s` or `1m30s`" + `, lists with commas, and booleans as ` + "`true` or `false`" + `. A variable that begins with
` + "`FAIRLEAD_`" + ` and is not in this list stops the gateway with an error, and so does a value out of its range; errors name the setting by its
path, such as ` + "`mqtt.tls.certificateFile`" + `.

Which groups a gateway needs, besides ` + "`PROCESS` and `HEALTH`" + `:

GROUPS

Every gateway needs at least ` + "`FAIRLEAD_AUTH_CLIENT_URL`" + `, and all but ` + "`gateway http`" + ` need ` + "`FAIRLEAD_KAFKA_BROKERS`" + `. ` + "`gateway mqtt` and `gateway opcua`" + ` also need ` + "`FAIRLEAD_CACHE_URL`" + `,
the Redis in which processes agree who holds a device; with it the others hear at once of devices that are locked out. ` + "`gateway http`" + ` needs
` + "`FAIRLEAD_ASSERTION_KEYS`" + `, which the functions behind it have too, and their addresses ([guide](guides/http.md)). With ` + "`FAIRLEAD_SINK_URL` or `K_SINK`" + `
a [CloudEvents sink](guides/sink.md) takes the place of Kafka, and ` + "`SINK` that of `KAFKA`" + `.

This page is generated from the code: ` + "`go test ./internal/assembly/gateways -run Documented -update`" + `.

`

func TestConfigurationIsDocumented(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Documented(t, "../../../docs/gateways.md", introduction, assembly.Gateway, &c)
}

func TestEverySettingHasAMeaning(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Meaningful(t, &c)
}

func TestTable(t *testing.T) {
	c := DefaultConfig()
	assemblytest.Complete(t, assembly.Gateway, constructors)
	assemblytest.Known(t, assembly.Gateway, &c)
}

func TestLoadConfig(t *testing.T) {
	enough := []string{
		"FAIRLEAD_KAFKA_BROKERS=localhost:9092", "FAIRLEAD_AUTH_CLIENT_URL=http://auth", "FAIRLEAD_CACHE_URL=redis://localhost",
		"FAIRLEAD_BRIDGE_BROKER_URL=mqtt://site", "FAIRLEAD_BRIDGE_PATTERNS=site/{device}/{channel...}",
		"FAIRLEAD_BRIDGE_GATEWAY_APPLICATION=a", "FAIRLEAD_BRIDGE_GATEWAY_DEVICE=gateway",
		"FAIRLEAD_OPCUA_MAPPING=mapping.yaml", "FAIRLEAD_OPCUA_FOLDER=opcua",
		"FAIRLEAD_OPCUA_GATEWAY_APPLICATION=a", "FAIRLEAD_OPCUA_GATEWAY_DEVICE=gateway",
	}
	f := func(name, want string, more ...string) {
		t.Helper()
		gateway, ok := assembly.Find(assembly.Gateway, name)
		if !ok {
			t.Fatalf("there is no gateway %s", name)
		}
		_, err := LoadConfig(gateway, append(enough[:len(enough):len(enough)], more...))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s with %v: %v, want %q", name, more, err, want)
		}
	}
	f("mqtt", "")
	f("bridge", "")
	f("bridge", "", "FAIRLEAD_CACHE_URL=")
	f("opcua", "")
	f("opcua", "cache.url", "FAIRLEAD_CACHE_URL=")
	f("opcua", "opcua.mapping", "FAIRLEAD_OPCUA_MAPPING=")
	f("opcua", "opcua.folder", "FAIRLEAD_OPCUA_FOLDER=")
	f("opcua", "opcua.window", "FAIRLEAD_OPCUA_WINDOW=0")
	f("opcua", "opcua.gateway.device", "FAIRLEAD_OPCUA_GATEWAY_DEVICE=")
	f("opcua", "opcua.drainTimeout", "FAIRLEAD_OPCUA_DRAIN_TIMEOUT=1s")
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
	const noKafka, sink = "FAIRLEAD_KAFKA_BROKERS=", "K_SINK=http://broker.example/default/x"
	f("mqtt", "", noKafka, sink)
	f("mqtt", "", noKafka, "FAIRLEAD_SINK_URL=http://broker.example")
	f("coap", "sink.url", noKafka, "K_SINK=broker")
	f("mqtt", "mqtt.maxInFlight: must be below sink.maxRecords", noKafka, sink, "FAIRLEAD_SINK_MAX_RECORDS=100")
	f("mqtt", "health.address", "FAIRLEAD_HEALTH_ADDRESS=nowhere")
	f("mqtt", "FAIRLEAD_MQQT_X is not a setting", "FAIRLEAD_MQQT_X=1")
	f("bridge", "bridge.patterns", "FAIRLEAD_BRIDGE_PATTERNS=")
}
