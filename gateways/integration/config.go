package integration

import (
	"errors"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/crossorigin"
	"github.com/fairlead/fairlead/internal/feed"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/transport"
)

// A Config says where the gateway listens and what it may take.
type Config struct {
	MQTT protocol.ListenConfig
	Web  WebConfig

	Connection protocol.Config
	Feed       feed.Config
	protocol.RecheckConfig

	CommandURL       string        `doc:"base URL of the function that takes commands as events, such as http://fairlead-command-events.fairlead.svc.cluster.local; empty refuses commands as unavailable"`
	AuthTimeout      time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; below connection.connectTimeout; 100ms to 60s"`
	MaxSubscriptions int           `doc:"number of subscriptions of one MQTT client; 1 to 10000"`
	DrainTimeout     time.Duration `doc:"duration that consumers are given at the end to acknowledge and to leave; 1s to 5m"`
}

// A WebConfig says where consumers come over HTTP.
type WebConfig struct {
	transport.Config
	PingInterval time.Duration `doc:"duration after which a WebSocket is pinged and an event stream gets a comment; one that answers nothing for twice as long is closed; 1s to 5m"`
	WriteTimeout time.Duration `doc:"duration after which a consumer that does not read what is sent to it is disconnected; 1s to 5m"`
	MaxMessage   int           `doc:"bytes of the largest message that a WebSocket client may send; 1024 to 1048576"`
	SendQueue    int           `doc:"bytes that wait for one consumer that reads slowly, beyond which nothing more is read for it from Kafka; 4096 to 16777216"`
	Origins      []string      `doc:"web origins, as https://console.example.com, whose pages may read event streams, and WebSockets without a credential; none by default; * is every one, and lets any page that a browser of your network opens read what is public"`
}

// Validate names the first bad field.
func (c *WebConfig) Validate() error {
	switch {
	case c.PingInterval < time.Second || c.PingInterval > 5*time.Minute:
		return errors.New("pingInterval: must lie between 1s and 5m")
	case c.WriteTimeout < time.Second || c.WriteTimeout > 5*time.Minute:
		return errors.New("writeTimeout: must lie between 1s and 5m")
	case c.MaxMessage < 1<<10 || c.MaxMessage > 1<<20:
		return errors.New("maxMessage: must lie between 1024 and 1048576")
	case c.SendQueue < 4<<10 || c.SendQueue > 16<<20:
		return errors.New("sendQueue: must lie between 4096 and 16777216")
	}
	if err := crossorigin.Validate(c.Origins); err != nil {
		return err
	}
	return c.Config.Validate()
}

// DefaultConfig listens at the ports of MQTT and HTTP on every interface, without TLS.
func DefaultConfig() Config {
	c := Config{
		MQTT: protocol.DefaultListenConfig(),
		Web: WebConfig{
			Config: transport.DefaultConfig(), PingInterval: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxMessage: 128 << 10, SendQueue: 64 << 10,
		},
		Connection:       protocol.DefaultConfig(),
		Feed:             feed.DefaultConfig(),
		RecheckConfig:    protocol.DefaultRecheckConfig(),
		AuthTimeout:      10 * time.Second,
		MaxSubscriptions: 32,
		DrainTimeout:     20 * time.Second,
	}
	c.MQTT.TCP.Address, c.Web.Address = ":1883", ":8080"
	c.Web.ClientCertificates = false
	return c
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	u, err := url.Parse(c.CommandURL)
	if c.CommandURL != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil) {
		return errors.New("commandURL: must be an http or https URL without user")
	}
	return protocol.GatewayBounds{AuthTimeout: c.AuthTimeout, MaxSubscriptions: c.MaxSubscriptions, DrainTimeout: c.DrainTimeout}.Validate(&c.Connection)
}
