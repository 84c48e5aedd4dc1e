package config

import (
	"strings"
	"testing"
)

// TestServiceLinks has the variables that Kubernetes makes for Services named fairlead-mqtt, fairlead and, with IPv6,
// fairlead-kafka.
func TestServiceLinks(t *testing.T) {
	c := outer{Kafka: inner{MaxBytes: 7}}
	err := Load("FAIRLEAD", strings.Fields(`
		FAIRLEAD_MQTT_SERVICE_HOST=10.96.0.17
		FAIRLEAD_MQTT_SERVICE_PORT=1883
		FAIRLEAD_MQTT_SERVICE_PORT_MQTT_TLS=8883
		FAIRLEAD_MQTT_PORT=tcp://10.96.0.17:1883
		FAIRLEAD_MQTT_PORT_1883_TCP=tcp://10.96.0.17:1883
		FAIRLEAD_MQTT_PORT_1883_TCP_PROTO=tcp
		FAIRLEAD_MQTT_PORT_1883_TCP_PORT=1883
		FAIRLEAD_MQTT_PORT_1883_TCP_ADDR=10.96.0.17
		FAIRLEAD_SERVICE_HOST=10.96.0.18
		FAIRLEAD_PORT=udp://10.96.0.18:5684
		FAIRLEAD_KAFKA_SERVICE_HOST=fd00::1
		FAIRLEAD_KAFKA_PORT=sctp://[fd00::1]:9092
		FAIRLEAD_KAFKA_MAX_BYTES=9`), &c)
	if err != nil || c.Kafka.MaxBytes != 9 {
		t.Errorf("Load = %v, maxBytes %d", err, c.Kafka.MaxBytes)
	}
}

func TestWhatIsNoServiceLink(t *testing.T) {
	f := func(variable string) {
		t.Helper()
		c := outer{Kafka: inner{MaxBytes: 7}}
		if err := Load("FAIRLEAD", []string{variable}, &c); err == nil || !strings.Contains(err.Error(), "is not a setting") {
			t.Errorf("Load(%q) = %v", variable, err)
		}
	}
	f("FAIRLEAD_MQTT_PORT=1883")
	f("FAIRLEAD_MQTT_PORT=tcp://mqtt.example.com:1883")
	f("FAIRLEAD_MQTT_PORT=http://10.96.0.17:1883")
	f("FAIRLEAD_MQTT_SERVICE_HOST=mqtt.example.com")
	f("FAIRLEAD_MQTT_SERVICE_PORT=many")
	f("FAIRLEAD_MQTT_PORT_1883_TCP_PROTO=http")
	f("FAIRLEAD_MQTT_PORT_X_TCP=tcp://10.96.0.17:1883")
	f("FAIRLEAD_KAFKA_BROKER=10.96.0.17")
}
