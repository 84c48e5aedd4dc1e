package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead/fairlead/gateways/bridge"
	"github.com/fairlead/fairlead/gateways/coap"
	"github.com/fairlead/fairlead/gateways/mqtt"
	"github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/presence"
	"github.com/fairlead/fairlead/internal/process"
	"github.com/fairlead/fairlead/internal/transport"
)

// closeTimeout bounds what is left to do after a gateway has drained: making ends of sessions known, and flushing to Kafka.
const closeTimeout = 30 * time.Second

// A gateway is one of the things that this program can be.
type gateway struct {
	name, summary string
	groups        func(*Config) []group
	validate      func(*Config) error // what concerns several groups; may be nil
	run           func(context.Context, *parts) error
}

func gateways() []gateway {
	return []gateway{
		{"mqtt", "devices over MQTT 3.1.1 and 5: TCP, TLS and WebSocket", mqttGroups, (*Config).validateMQTT, runMQTT},
		{"coap", "devices over CoAP: DTLS with pre-shared keys and certificates, and UDP", coapGroups, nil, runCoAP},
		{"bridge", "forwards from an MQTT broker that a site already runs", bridgeGroups, nil, runBridge},
	}
}

func mqttGroups(c *Config) []group {
	return []group{{"cache", &c.Cache}, {"presence", &c.Presence}, {"mqtt", &c.MQTT}}
}

// runMQTT serves devices. Presence begins before the first device comes and ends after the last has gone.
func runMQTT(ctx context.Context, p *parts) (err error) {
	client, err := p.config.Cache.Client()
	if err != nil {
		return fmt.Errorf("opening Redis: cache.%w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	tracker, err := presence.New(p.config.Presence, client, p.config.Cache.Instance, p.pipeline, p.log)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- tracker.Run(context.WithoutCancel(ctx)) }()
	p.check(process.Check{Name: "presence", Run: tracker.Ready})
	err = mqtt.New(p.config.MQTT, p.door, p.pipeline, command.NewHub(), tracker, p.log).Run(ctx)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return errors.Join(err, tracker.Close(closing), <-ended)
}

func coapGroups(c *Config) []group { return []group{{"coap", &c.COAP}} }

func runCoAP(ctx context.Context, p *parts) error {
	var certificate func() (*tls.Certificate, error)
	if file := p.config.COAP.CertificateFile; file != "" {
		loaded, err := transport.LoadCertificate(file, p.config.COAP.KeyFile, p.log)
		if err != nil {
			return err
		}
		defer loaded.Close()
		certificate = loaded.Get
	}
	g, err := coap.New(p.config.COAP, p.door, p.pipeline, command.NewHub(), certificate, p.log)
	if err != nil {
		return err
	}
	return g.Run(ctx)
}

func bridgeGroups(c *Config) []group { return []group{{"bridge", &c.Bridge}} }

func runBridge(ctx context.Context, p *parts) error {
	b, err := bridge.New(p.config.Bridge, p.door, p.pipeline, p.log)
	if err != nil {
		return err
	}
	p.check(process.Check{Name: "bridge", Run: b.Ready})
	return b.Run(ctx)
}
