package devcloud

import (
	"log/slog"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/manifests"
	"github.com/fairlead/fairlead/internal/devcloud/registryfile"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Partitions is how many partitions an application's topic is given.
const Partitions = 3

// A Config says what to run. Every address is host:port; port 0 takes a free one.
type Config struct {
	HTTP        string // devices and webhooks
	HTTPS       string // devices over HTTP with TLS; "" for none
	MQTT        string // devices over MQTT; "" for none, as for the next three
	MQTTS       string // over TLS
	MQTTWS      string // over WebSocket
	MQTTWSS     string // over WebSocket and TLS
	COAP        string // devices over CoAP; "" for none
	COAPS       string // over DTLS; "" for none
	Consumers   string // users who consume events over MQTT; "" for none
	ConsumerWeb string // over WebSocket and Server-Sent Events; "" for none
	API         string // the registry's API; "" for none
	Identity    string // the embedded identity provider, on a loopback address; "" for none
	Auth        string // device authentication
	Metrics     string // Prometheus; "" for none
	Receiver    string // built-in subscriber; "" for none
	DeadLetters string // built-in dead letter sink; "" for none

	Kafka        []string // addresses of real brokers; none embeds one
	KafkaSecret  string   // folder with a Secret in Knative's layout, for real brokers
	KafkaAddress string   // of the embedded broker
	Redis        string   // URL of a real server; "" embeds one
	RedisAddress string   // of the embedded server
	Database     string   // postgres:// URL; "" embeds SQLite
	Issuer       string   // URL of a real identity provider, for the API; "" embeds one
	Registry     []string // files with applications and devices; none takes the example
	Lenient      bool     // takes registry files with members that are unknown or have no effect
	Triggers     string   // folder with manifests; "" takes the example
	Targets      manifests.Targets
	Data         string // folder; "" takes a temporary one
	OPCUA        OPCUA  // OPC UA servers
	Demo         *Demo  // nil for none

	Logger  *slog.Logger          // warnings for the user
	Observe func(dispatch.Report) // sees every record that a Trigger is done with; may be nil
	Refused func(refusal.Report)  // sees everything that is refused; may be nil
}

// A Demo is what a demonstration adds to what the user's files say.
type Demo struct {
	Registry registryfile.Contents
	Trigger  []byte            // manifest
	Targets  manifests.Targets // what it refers to
}
