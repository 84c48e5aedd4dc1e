package mqtt

import (
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/psk"
)

// A Config says where the gateway listens and what it may take.
type Config struct {
	protocol.ListenConfig
	Connection protocol.Config

	AuthTimeout time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; it leaves room for a cold start of the authentication function, and stays below connection.connectTimeout; 100ms to 60s"`
	protocol.BudgetConfig
	PreSharedKeys    bool `doc:"whether devices may prove a pre-shared key, over TLS and over WebSocket with TLS; only a gateway built with the tag psk has them"`
	MaxSubscriptions int  `doc:"number of subscriptions of one client; 1 to 10000"`
	protocol.RecheckConfig
	DrainTimeout time.Duration `doc:"duration that messages on their way to Kafka are waited for at the end; 1s to 5m"`
}

// DefaultConfig listens at the port of MQTT on every interface, without TLS.
func DefaultConfig() Config {
	c := Config{
		ListenConfig:     protocol.DefaultListenConfig(),
		Connection:       protocol.DefaultConfig(),
		AuthTimeout:      10 * time.Second,
		BudgetConfig:     protocol.DefaultBudgetConfig(),
		PreSharedKeys:    true,
		MaxSubscriptions: 64,
		RecheckConfig:    protocol.DefaultRecheckConfig(),
		DrainTimeout:     20 * time.Second,
	}
	c.TCP.Address = ":1883"
	return c
}

// Keys finds the pre-shared keys of devices for handshakes; nil if there are to be none.
func (c *Config) Keys(devices auth.Authenticator) psk.Lookup {
	if !c.PreSharedKeys {
		return nil
	}
	return auth.Keys(devices, c.AuthTimeout)
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	return protocol.GatewayBounds{AuthTimeout: c.AuthTimeout, MaxSubscriptions: c.MaxSubscriptions, DrainTimeout: c.DrainTimeout}.Validate(&c.Connection)
}
