package mqtt

import (
	"errors"
	"time"
)

// GatewayBounds are the bounds that every MQTT gateway has a setting for.
type GatewayBounds struct {
	AuthTimeout      time.Duration // for a log-in; 100ms to 60s, and below the time for CONNECT
	MaxSubscriptions int           // of one client; 1 to 10000
	DrainTimeout     time.Duration // at the end; 1s to 5m
}

// Validate names the first bad setting. The connection is that of the gateway.
func (b GatewayBounds) Validate(connection *Config) error {
	switch {
	case b.AuthTimeout < 100*time.Millisecond || b.AuthTimeout > time.Minute:
		return errors.New("authTimeout: must lie between 100ms and 60s")
	case b.AuthTimeout >= connection.ConnectTimeout:
		return errors.New("authTimeout: must be below connection.connectTimeout")
	case b.MaxSubscriptions < 1 || b.MaxSubscriptions > 10_000:
		return errors.New("maxSubscriptions: must lie between 1 and 10000")
	case b.DrainTimeout < time.Second || b.DrainTimeout > 5*time.Minute:
		return errors.New("drainTimeout: must lie between 1s and 5m")
	}
	return nil
}
