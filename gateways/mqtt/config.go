package mqtt

import (
	"time"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

// A Config says where the gateway listens and what it may take.
type Config struct {
	protocol.ListenConfig
	Connection protocol.Config

	AuthTimeout time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; it leaves room for a cold start of the authentication function, and stays below connection.connectTimeout; 100ms to 60s"`
	protocol.BudgetConfig
	MaxSubscriptions int `doc:"number of subscriptions of one client; 1 to 10000"`
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
		MaxSubscriptions: 64,
		RecheckConfig:    protocol.DefaultRecheckConfig(),
		DrainTimeout:     20 * time.Second,
	}
	c.TCP.Address = ":1883"
	return c
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	return protocol.GatewayBounds{AuthTimeout: c.AuthTimeout, MaxSubscriptions: c.MaxSubscriptions, DrainTimeout: c.DrainTimeout}.Validate(&c.Connection)
}
