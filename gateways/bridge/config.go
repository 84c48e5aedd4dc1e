package bridge

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/forward"
)

// Limits of settings.
const (
	maxPatterns    = 64
	maxInFlight    = 10_000
	maxText        = 1024 // bytes of client id, user name and group
	longestExpiry  = 365 * 24 * time.Hour
	longestTimeout = time.Minute
)

// A Config says what is taken from where, and in whose name it is published.
type Config struct {
	Broker  BrokerConfig
	Gateway forward.GatewayConfig

	Patterns    []string `doc:"topics that are taken, separated by commas, such as site/{device}/{channel...}: literal levels, {device}, {channel} for one level or {channel...} for all that follow, + for a level that does not matter; without {device} the gateway itself is the device; of several that match the first counts; 1 to 64"`
	SharedGroup string   `doc:"name of the shared subscription in which several bridges share the messages, each with a client id of its own; empty: every message comes to this bridge"`
	Retained    bool     `doc:"whether messages that the broker had retained before it knew the subscription are taken too; never with a shared subscription"`

	InFlight     int           `doc:"number of messages of QoS 1 that the broker hands over before the first of them is stored, and number of messages of QoS 0 that wait at once, beyond which further ones are lost; 1 to 10000"`
	MaxPacket    int           `doc:"largest packet in bytes that the broker may send; the broker drops messages that do not fit; 1024 to 16777216"`
	RetryDelay   time.Duration `doc:"longest duration between two attempts to store a message, or to be admitted as the gateway; 1s to 10m"`
	AuthTimeout  time.Duration `doc:"duration after which a decision of the registry is no longer waited for, and is asked for again later; 100ms to 60s"`
	DrainTimeout time.Duration `doc:"longest duration that a stop waits for messages that are being stored; longer than a record waits for Kafka; up to 60s"`
}

// A BrokerConfig says how the broker of the site is reached.
type BrokerConfig struct {
	URL             string        `doc:"URL of the broker, which speaks MQTT 5: mqtt://host, mqtts://host, ws://host/path or wss://host/path; ports 1883, 8883, 80, 443 if none is given"`
	ClientID        string        `doc:"client id; it must stay the same for the broker to keep messages while the bridge is away, and no two clients of a broker may share one"`
	Username        string        `doc:"user name at the broker; empty: none"`
	Password        string        `doc:"password at the broker" secret:"true"`
	CAFile          string        `doc:"PEM file with the authorities that may have signed the broker's certificate; empty: those of the system"`
	CertificateFile string        `doc:"PEM file with the certificate that the bridge shows, followed by those of intermediate authorities; read for each connection; empty: none"`
	KeyFile         string        `doc:"PEM file with the private key of the certificate"`
	CleanStart      bool          `doc:"whether what the broker kept for this client id is thrown away when the bridge starts, old subscriptions included"`
	SessionExpiry   time.Duration `doc:"duration for which the broker keeps subscriptions and messages of QoS 1 while the bridge is away; whole seconds, 0s (not at all) to 8760h"`
	KeepAlive       time.Duration `doc:"duration without a packet after which the connection is tried with a ping; whole seconds, 5s to 18h"`
	ConnectTimeout  time.Duration `doc:"longest duration of one attempt to connect; 1s to 60s"`
	ReconnectDelay  time.Duration `doc:"longest duration between two attempts to connect; 1s to 10m"`
}

// DefaultConfig knows neither broker nor gateway nor topics. The broker keeps messages for a day.
func DefaultConfig() Config {
	return Config{
		Broker: BrokerConfig{
			ClientID:       "fairlead-bridge",
			SessionExpiry:  24 * time.Hour,
			KeepAlive:      30 * time.Second,
			ConnectTimeout: 10 * time.Second,
			ReconnectDelay: 30 * time.Second,
		},
		InFlight:     256,
		MaxPacket:    256 << 10,
		RetryDelay:   10 * time.Second,
		AuthTimeout:  10 * time.Second,
		DrainTimeout: 15 * time.Second,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	if _, err := parseRoutes(c.Patterns); err != nil {
		return fmt.Errorf("patterns: %w", err)
	}
	switch {
	case len(c.SharedGroup) > maxText || !isText(c.SharedGroup) || strings.ContainsAny(c.SharedGroup, "/+#"):
		return errors.New("sharedGroup: must be a text without /, + and #")
	case c.InFlight < 1 || c.InFlight > maxInFlight:
		return errors.New("inFlight: must lie between 1 and 10000")
	case c.MaxPacket < 1<<10 || c.MaxPacket > 16<<20:
		return errors.New("maxPacket: must lie between 1024 and 16777216")
	case c.RetryDelay < time.Second || c.RetryDelay > 10*time.Minute:
		return errors.New("retryDelay: must lie between 1s and 10m")
	case c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > longestTimeout:
		return errors.New("authTimeout: must lie between 100ms and 60s")
	case c.DrainTimeout < 0 || c.DrainTimeout > longestTimeout:
		return errors.New("drainTimeout: must lie between 0s and 60s")
	}
	return nil
}

// Validate names the first bad field.
func (c *BrokerConfig) Validate() error {
	if _, err := parseURL(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	switch {
	case c.ClientID == "" || len(c.ClientID) > maxText || !isText(c.ClientID):
		return errors.New("clientID: must be a text of 1 to 1024 bytes")
	case len(c.Username) > maxText || !isText(c.Username):
		return errors.New("username: must be a text of up to 1024 bytes")
	case len(c.Password) > 1<<16-1:
		return errors.New("password: is longer than 65535 bytes")
	case c.CertificateFile != "" && c.KeyFile == "":
		return errors.New("keyFile: is missing, but there is a certificate")
	case c.CertificateFile == "" && c.KeyFile != "":
		return errors.New("certificateFile: is missing, but there is a key")
	case c.SessionExpiry < 0 || c.SessionExpiry > longestExpiry || c.SessionExpiry%time.Second != 0:
		return errors.New("sessionExpiry: must be whole seconds between 0s and 8760h")
	case c.KeepAlive < 5*time.Second || c.KeepAlive > 18*time.Hour || c.KeepAlive%time.Second != 0:
		return errors.New("keepAlive: must be whole seconds between 5s and 18h")
	case c.ConnectTimeout < time.Second || c.ConnectTimeout > longestTimeout:
		return errors.New("connectTimeout: must lie between 1s and 60s")
	case c.ReconnectDelay < time.Second || c.ReconnectDelay > 10*time.Minute:
		return errors.New("reconnectDelay: must lie between 1s and 10m")
	}
	return nil
}

// parseURL reads the address of a broker, and gives it the port of its scheme if it has none.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must be a URL with a host, without user and query")
	}
	port, known := map[string]string{schemeTCP: "1883", schemeTLS: "8883", schemeWS: "80", schemeWSS: "443"}[u.Scheme]
	switch {
	case !known:
		return nil, errors.New("must begin with mqtt://, mqtts://, ws:// or wss://")
	case (u.Scheme == schemeTCP || u.Scheme == schemeTLS) && u.Path != "" && u.Path != "/":
		return nil, errors.New("has a path, which only ws and wss have")
	}
	if u.Port() == "" {
		u.Host = strings.TrimSuffix(u.Host, ":") + ":" + port
	}
	return u, nil
}

// String keeps the passwords out of logs, as do the other String and GoString methods below.
func (Config) String() string       { return "bridge" }
func (BrokerConfig) String() string { return "broker of a bridge" }

func (c Config) GoString() string       { return c.String() }
func (c BrokerConfig) GoString() string { return c.String() }
