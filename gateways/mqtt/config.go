package mqtt

import (
	"errors"
	"time"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
)

// A Config says where the gateway listens and what it may take.
type Config struct {
	protocol.ListenConfig
	Connection protocol.Config

	AuthTimeout time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; it leaves room for a cold start of the authentication function, and stays below connection.connectTimeout; 100ms to 60s"`
	protocol.BudgetConfig
	MaxSubscriptions int           `doc:"number of subscriptions of one client; 1 to 10000"`
	Renewals         int           `doc:"number of log-ins that are judged again at the same time after a change in the registry; 1 to 10000"`
	RenewalSpread    time.Duration `doc:"duration over which log-ins are spread that one change has judged again; 0s to 10s"`
	RenewalTimeout   time.Duration `doc:"duration after which a client is disconnected whose log-in is to be judged again but cannot be, because nobody can be asked; 1s to 1h"`
	DrainTimeout     time.Duration `doc:"duration that messages on their way to Kafka are waited for at the end; 1s to 5m"`
}

// DefaultConfig listens at the port of MQTT on every interface, without TLS.
func DefaultConfig() Config {
	c := Config{
		ListenConfig:     protocol.DefaultListenConfig(),
		Connection:       protocol.DefaultConfig(),
		AuthTimeout:      10 * time.Second,
		BudgetConfig:     protocol.DefaultBudgetConfig(),
		MaxSubscriptions: 64,
		Renewals:         1024,
		RenewalSpread:    250 * time.Millisecond,
		RenewalTimeout:   time.Minute,
		DrainTimeout:     20 * time.Second,
	}
	c.TCP.Address = ":1883"
	return c
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > time.Minute:
		return errors.New("authTimeout: must lie between 100ms and 60s")
	case c.AuthTimeout >= c.Connection.ConnectTimeout:
		return errors.New("authTimeout: must be below connection.connectTimeout")
	case c.MaxSubscriptions < 1 || c.MaxSubscriptions > 10_000:
		return errors.New("maxSubscriptions: must lie between 1 and 10000")
	case c.Renewals < 1 || c.Renewals > 10_000:
		return errors.New("renewals: must lie between 1 and 10000")
	case c.RenewalSpread < 0 || c.RenewalSpread > 10*time.Second:
		return errors.New("renewalSpread: must lie between 0s and 10s")
	case c.RenewalTimeout < time.Second || c.RenewalTimeout > time.Hour:
		return errors.New("renewalTimeout: must lie between 1s and 1h")
	case c.DrainTimeout < time.Second || c.DrainTimeout > 5*time.Minute:
		return errors.New("drainTimeout: must lie between 1s and 5m")
	}
	return nil
}
