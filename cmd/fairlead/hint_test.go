package main

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/fairlead/fairlead/internal/cloud"
)

func TestPSKLines(t *testing.T) {
	coap := coapClient()
	f := func(e cloud.Endpoints, device, key string, want ...string) {
		t.Helper()
		if got := pskLines(device, base64.StdEncoding.EncodeToString([]byte(key)), true)(&e, "app"); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	secured := cloud.Endpoints{CoAP: &cloud.Place{URL: "coaps://example.com"}, SecureMQTT: &cloud.Address{Host: "example.com", Port: 8883}}
	mosquitto := "mosquitto_pub -h example.com -p 8883 --psk-identity d@app --psk 6b6579 -q 1 -t telemetry -m '{\"temperature\": 21.5}'"
	const overMQTT = "(over MQTT with gateways that are built with OpenSSL)"
	f(secured, "d", "key", coap+" -m post -u d@app -k key -t 50 -e '{\"temperature\": 21.5}' coaps://example.com/v1/telemetry", mosquitto, overMQTT)
	f(cloud.Endpoints{MQTT: secured.SecureMQTT}, "d", "key", mosquitto, overMQTT)
	f(secured, "d", "k y", "(coap-client takes keys of printable characters only; this one is for devices)",
		"mosquitto_pub -h example.com -p 8883 --psk-identity d@app --psk 6b2079 -q 1 -t telemetry -m '{\"temperature\": 21.5}'", overMQTT)
	f(secured, "d@x", "key", "(the name of a device with @ is no identity of a key: give the device an alias, and use that)")
	f(cloud.Endpoints{CoAP: &cloud.Place{URL: "coap://example.com"}, MQTT: &cloud.Address{Host: "example.com", Port: 1883}}, "d", "key")
}
