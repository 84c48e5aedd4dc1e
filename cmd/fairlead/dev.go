package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud"
	"github.com/fairlead/fairlead/internal/devcloud/demo"
	"github.com/fairlead/fairlead/internal/tlspsk"
)

const (
	startTimeout = 2 * time.Minute
	// drainTimeout is how long everything may take to end after a signal.
	drainTimeout = 20 * time.Second
)

type devCommand struct {
	HTTP        string `name:"http-address" aliases:"http" default:"127.0.0.1:8080" env:"FAIRLEAD_HTTP_ADDRESS" was:"FAIRLEAD_DEV_HTTP" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices and webhooks."`
	MQTT        string `name:"mqtt-tcp-address" aliases:"mqtt" default:"127.0.0.1:1883" env:"FAIRLEAD_MQTT_TCP_ADDRESS" was:"FAIRLEAD_DEV_MQTT" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over MQTT. Empty for none."`
	MQTTS       string `name:"mqtt-tls-address" aliases:"mqtts" default:"127.0.0.1:8883" env:"FAIRLEAD_MQTT_TLS_ADDRESS" was:"FAIRLEAD_DEV_MQTTS" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over MQTT with TLS, with a certificate of its own. Empty for none."`
	MQTTWS      string `name:"mqtt-web-socket-address" aliases:"mqtt-ws" default:"127.0.0.1:20880" env:"FAIRLEAD_MQTT_WEB_SOCKET_ADDRESS" was:"FAIRLEAD_DEV_MQTT_WS" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over MQTT through WebSocket. Empty for none."`
	MQTTWSS     string `name:"mqtt-web-socket-tls-address" aliases:"mqtt-wss" default:"127.0.0.1:8884" env:"FAIRLEAD_MQTT_WEB_SOCKET_TLS_ADDRESS" was:"FAIRLEAD_DEV_MQTT_WSS" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over MQTT through WebSocket with TLS. Empty for none."`
	COAP        string `name:"coap-address" aliases:"coap" default:"127.0.0.1:5683" env:"FAIRLEAD_COAP_ADDRESS" was:"FAIRLEAD_DEV_COAP" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over CoAP. Empty for none."`
	COAPS       string `name:"coap-secure-address" aliases:"coaps" default:"127.0.0.1:5684" env:"FAIRLEAD_COAP_SECURE_ADDRESS" was:"FAIRLEAD_DEV_COAPS" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices over CoAP with DTLS. Empty for none."`
	API         string `name:"api-address" aliases:"api" default:"127.0.0.1:8081" env:"FAIRLEAD_API_ADDRESS" was:"FAIRLEAD_DEV_API" group:"Addresses (host:port; port 0 takes a free one)" help:"For the registry's API. Empty for none."`
	Identity    string `name:"identity-address" aliases:"identity" default:"127.0.0.1:8086" env:"FAIRLEAD_IDENTITY_ADDRESS" was:"FAIRLEAD_DEV_IDENTITY" group:"Addresses (host:port; port 0 takes a free one)" help:"Of the embedded identity provider, on a loopback address."`
	Auth        string `name:"auth-address" aliases:"auth" default:"127.0.0.1:8083" env:"FAIRLEAD_AUTH_ADDRESS" was:"FAIRLEAD_DEV_AUTH" group:"Addresses (host:port; port 0 takes a free one)" help:"For device authentication."`
	Metrics     string `name:"metrics-address" aliases:"metrics" default:"127.0.0.1:8084" env:"FAIRLEAD_METRICS_ADDRESS" was:"FAIRLEAD_DEV_METRICS" group:"Addresses (host:port; port 0 takes a free one)" help:"For Prometheus, at /metrics. Empty for none."`
	Receiver    string `name:"receiver-address" aliases:"receiver" default:"127.0.0.1:8090" env:"FAIRLEAD_RECEIVER_ADDRESS" was:"FAIRLEAD_DEV_RECEIVER" group:"Addresses (host:port; port 0 takes a free one)" help:"Of the built-in subscriber, which Triggers reach as Service receiver. Empty for none."`
	DeadLetters string `name:"dead-letters-address" aliases:"dead-letters" default:"127.0.0.1:8091" env:"FAIRLEAD_DEAD_LETTERS_ADDRESS" was:"FAIRLEAD_DEV_DEAD_LETTERS" group:"Addresses (host:port; port 0 takes a free one)" help:"Of the built-in dead letter sink, which Triggers reach as Service dead-letters. Empty for none."`
	Consumers   string `name:"integration-mqtt-tcp-address" aliases:"integration-mqtt" default:"127.0.0.1:18883" env:"FAIRLEAD_INTEGRATION_MQTT_TCP_ADDRESS" group:"Addresses (host:port; port 0 takes a free one)" help:"For users who consume events over MQTT. Empty for none."`
	ConsumerWeb string `name:"integration-web-address" aliases:"integration-web" default:"127.0.0.1:8082" env:"FAIRLEAD_INTEGRATION_WEB_ADDRESS" group:"Addresses (host:port; port 0 takes a free one)" help:"For users who consume events over WebSocket and Server-Sent Events. Empty for none."`
	HTTPS       string `name:"http-tls-address" aliases:"https" default:"127.0.0.1:8443" env:"FAIRLEAD_HTTP_TLS_ADDRESS" group:"Addresses (host:port; port 0 takes a free one)" help:"For devices and webhooks over HTTP with TLS, with a certificate of its own. Empty for none."`

	PortsFrom   int  `xor:"ports" placeholder:"N" env:"FAIRLEAD_PORTS_FROM" was:"FAIRLEAD_DEV_PORTS_FROM" group:"Addresses (host:port; port 0 takes a free one)" help:"Listen on port N and those that follow it, in the order above, instead of the default ports: for a second one on this machine. Addresses that are given stay."`
	RandomPorts bool `xor:"ports" env:"FAIRLEAD_RANDOM_PORTS" was:"FAIRLEAD_DEV_RANDOM_PORTS" group:"Addresses (host:port; port 0 takes a free one)" help:"Listen on free ports instead of the default ones. Addresses that are given stay."`

	Kafka        []string `name:"kafka-brokers" aliases:"kafka" env:"FAIRLEAD_KAFKA_BROKERS" was:"FAIRLEAD_KAFKA" group:"Neighbours" help:"Addresses host:port of real Kafka brokers instead of the embedded one."`
	KafkaSecret  string   `name:"kafka-secret-dir" aliases:"kafka-secret" type:"path" env:"FAIRLEAD_KAFKA_SECRET_DIR" was:"FAIRLEAD_KAFKA_SECRET" group:"Neighbours" help:"Folder with a mounted Secret in the layout of Knative's Kafka components, for real brokers."`
	KafkaAddress string   `default:"127.0.0.1:0" env:"FAIRLEAD_KAFKA_ADDRESS" was:"FAIRLEAD_DEV_KAFKA_ADDRESS" group:"Neighbours" help:"Address of the embedded Kafka broker."`
	Redis        string   `name:"cache-url" aliases:"redis-url,redis" env:"FAIRLEAD_CACHE_URL" was:"FAIRLEAD_REDIS_URL,FAIRLEAD_REDIS" group:"Neighbours" help:"URL redis://… of a real Redis instead of the embedded one."`
	RedisAddress string   `default:"127.0.0.1:0" env:"FAIRLEAD_REDIS_ADDRESS" was:"FAIRLEAD_DEV_REDIS_ADDRESS" group:"Neighbours" help:"Address of the embedded Redis; its URL has a password that is drawn at each start."`
	Database     string   `name:"database-url" aliases:"database" env:"FAIRLEAD_DATABASE_URL" was:"FAIRLEAD_DATABASE" group:"Neighbours" help:"URL postgres://… of a real PostgreSQL instead of SQLite in the data folder."`

	Issuer string `env:"FAIRLEAD_ISSUER" group:"Neighbours" help:"URL of a real OpenID provider instead of the embedded one. Its tokens are for the client drogue."`

	Registry []string          `type:"path" env:"FAIRLEAD_REGISTRY" was:"FAIRLEAD_DEV_REGISTRY" group:"Files" help:"File with applications and devices, YAML or JSON; repeatable. Read again when it changes. Without it, an example."`
	Lenient  bool              `env:"FAIRLEAD_LENIENT" was:"FAIRLEAD_DEV_LENIENT" group:"Files" help:"Take registry files with members that are unknown or have no effect, and warn."`
	Triggers string            `type:"path" env:"FAIRLEAD_TRIGGERS" was:"FAIRLEAD_DEV_TRIGGERS" group:"Files" help:"Folder with Trigger manifests. Read again when it changes. Without it, an example in the data folder."`
	Ref      map[string]string `mapsep:"," env:"FAIRLEAD_REF" was:"FAIRLEAD_DEV_REF" placeholder:"NAME=URL" group:"Files" help:"Where an object runs that Triggers refer to, by name or namespace/name; repeatable."`
	Data     string            `type:"path" env:"FAIRLEAD_DATA" group:"Files" help:"Folder for everything that is kept across restarts. Without it, a temporary one that is removed at the end."`

	OPCUAMapping     string `name:"opcua-mapping" aliases:"opcua" type:"path" placeholder:"FILE" env:"FAIRLEAD_OPCUA_MAPPING" group:"OPC UA" help:"Mapping of OPC UA servers to forward from, as fairlead opcua check takes it."`
	OPCUAApplication string `name:"opcua-gateway-application" placeholder:"NAME" env:"FAIRLEAD_OPCUA_GATEWAY_APPLICATION" group:"OPC UA" help:"Application of their devices; by default the only one of the registry files."`
	OPCUADevice      string `name:"opcua-gateway-device" default:"opcua-gateway" env:"FAIRLEAD_OPCUA_GATEWAY_DEVICE" group:"OPC UA" help:"Gateway device to publish as (${default}). It needs a plain password in the registry files."`

	Demo  bool `env:"FAIRLEAD_DEMO" was:"FAIRLEAD_DEV_DEMO" help:"Run simulated devices, and show events as they are delivered."`
	Print bool `default:"true" negatable:"" env:"FAIRLEAD_PRINT" was:"FAIRLEAD_DEV_PRINT" help:"Print a line for each delivered event, and for what is refused."`
}

// Run starts everything, says where it is, and ends it after a signal.
func (c *devCommand) Run(ctx context.Context, t terminal) (err error) {
	config := c.config()
	var show *demo.Show
	if c.Demo {
		if show, err = demo.New(); err != nil {
			return err
		}
		defer show.Close()
		config.Demo = show.Part()
	}
	screen := newScreen(c, t, show)
	config.Logger, config.Observe, config.Refused = screen.logger(), screen.observe, screen.refused.Add
	defer screen.refused.Close()

	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	d, err := devcloud.Start(starting, config)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted while starting")
	}
	if err != nil {
		return err
	}
	c.welcome(t.out, d.Note())
	err = c.wait(ctx, d, show, screen)
	fmt.Fprintln(t.err, "stopping; press Ctrl-C again to end at once")
	ending, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return errors.Join(err, d.Close(ending))
}

// wait returns after a signal, or with the error of a part that ended by itself. A demonstration runs meanwhile.
func (c *devCommand) wait(ctx context.Context, d *devcloud.Dev, show *demo.Show, screen *screen) error {
	if show != nil {
		showing, stop := context.WithCancel(ctx)
		shown := make(chan struct{})
		go func() {
			defer close(shown)
			screen.run(showing, d.Status)
		}()
		go show.Run(showing, d.Note().HTTP)
		defer func() {
			stop()
			<-shown
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.Failed():
		return fmt.Errorf("a server ended by itself: %w", err)
	}
}

func (c *devCommand) config() devcloud.Config {
	return devcloud.Config{
		HTTP: c.HTTP, HTTPS: c.HTTPS, MQTT: c.MQTT, MQTTS: c.MQTTS, MQTTWS: c.MQTTWS, MQTTWSS: c.MQTTWSS, COAP: c.COAP, COAPS: c.COAPS,
		Consumers: c.Consumers, ConsumerWeb: c.ConsumerWeb,
		API: c.API, Identity: c.Identity, Issuer: c.Issuer, Auth: c.Auth, Metrics: c.Metrics, Receiver: c.Receiver, DeadLetters: c.DeadLetters,
		Kafka: c.Kafka, KafkaSecret: c.KafkaSecret, KafkaAddress: c.KafkaAddress,
		Redis: c.Redis, RedisAddress: c.RedisAddress, Database: c.Database,
		OPCUA:    devcloud.OPCUA{Mapping: c.OPCUAMapping, Application: c.OPCUAApplication, Device: c.OPCUADevice},
		Registry: c.Registry, Lenient: c.Lenient, Triggers: c.Triggers, Targets: c.Ref, Data: c.Data,
	}
}

// welcome says where everything is. A password is only shown if it is the one of the built-in example.
func (c *devCommand) welcome(out io.Writer, n devcloud.Note) {
	row := func(what, where string) {
		if where != "" {
			fmt.Fprintf(out, "  %-22s %s\n", what, where)
		}
	}
	fmt.Fprint(out, "Fairlead is running.\n\n")
	row("devices, HTTP", joined(n.HTTP, n.HTTPS)+", path /v1/{channel}")
	row("The Things Network", n.TTN)
	row("devices, MQTT", joined(n.MQTT, n.MQTTS, n.MQTTWS, n.MQTTWSS))
	row("devices, CoAP", joined(n.COAP, n.COAPS))
	row("users, MQTT", suffixed(n.Consumers, ", topic app/APPLICATION"))
	row("users, WebSocket, SSE", suffixed(n.ConsumerWeb, "/{application}"))
	row("certificate authority", n.CA)
	row("registry's API", n.API)
	if n.Account != nil {
		row("identity provider", n.Account.Issuer)
		if n.Account.User != "" {
			row("log in as", n.Account.User+" with the password "+n.Account.Password)
		}
	}
	row("device authentication", n.Auth+", for gateways with FAIRLEAD_AUTH_CLIENT_TOKEN="+n.AuthToken)
	row("metrics", suffixed(n.Metrics, "/metrics"))
	row("built-in receiver", n.Receiver)
	row("dead letters", n.DeadLetters)
	row("Kafka", strings.Join(n.Kafka, ","))
	row("Redis", n.Redis)
	row("Triggers", n.Triggers)
	row("data", n.Data)
	if n.Example == nil {
		fmt.Fprint(out, "\nNo device of the registry files has a plain password to show an example with.\n\n")
		return
	}
	curl := n.Example.Curl
	if len(c.Registry) > 0 {
		curl = n.Example.CurlWith("PASSWORD", n.HTTP)
	}
	fmt.Fprintf(out, "\nPost something:\n\n  %s\n\n", curl)
	if len(c.Registry) == 0 {
		for _, t := range tries(n, tlspsk.Available) {
			fmt.Fprintf(out, "The same over TLS, or DTLS for CoAP, with %s:\n\n  %s\n\n", t.with, strings.Join(t.commands, "\n  "))
		}
	}
	if c.Triggers == "" {
		fmt.Fprintf(out, "The Trigger in %s delivers it. Edit that file, or give a folder of your own with --triggers.\n\n",
			filepath.Join(n.Triggers, devcloud.PrintFile(n.Example.Application)))
	}
}

// joined is what is there, on one line.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}

func suffixed(url, path string) string {
	if url == "" {
		return ""
	}
	return url + path
}
