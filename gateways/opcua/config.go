package opcua

import (
	"errors"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/forward"
	"github.com/fairlead/fairlead/internal/opcua"
)

// A Config says what is taken from where, and in whose name it is published.
type Config struct {
	Mapping string `doc:"file that says which servers there are, and which of their nodes become which devices, channels and commands"`
	Gateway forward.GatewayConfig
	Folder  string `doc:"folder that is kept: the gateway's own certificate (own), the servers that it trusts (trusted), those that it has refused (rejected), and the subscriptions that a next process takes over (state)"`

	ApplicationURI string        `doc:"name of the gateway at servers, a URI that its certificate holds; empty: urn:HOSTNAME:fairlead:opcua"`
	Timeout        time.Duration `doc:"longest duration of one attempt to connect, and of one request to a server; 100ms to 60s"`
	ReconnectDelay time.Duration `doc:"longest duration between two attempts to connect to a server; 1s to 10m"`
	KeepAlive      time.Duration `doc:"duration after which a server that says nothing is asked whether it is there; 100ms to 5m"`
	SessionTimeout time.Duration `doc:"duration for which a server keeps the session of a connection that is lost; 10s to 1h"`
	Outage         time.Duration `doc:"duration for which a server keeps a subscription that nobody asks for messages, such as while Kafka is away or the gateway is stopped; 1m to 24h"`
	Refresh        time.Duration `doc:"duration after which the mapping is resolved again at a server that is connected, to find nodes that are new; 10s to 24h"`

	Window         int           `doc:"number of messages of a server that may wait to be stored, beyond which it is asked for no more; 1 to 1000"`
	InFlight       int           `doc:"number of messages that are handed to Kafka before it has acknowledged the first of them; 1 to 100000"`
	MaxMessage     int           `doc:"largest answer of a server in bytes; 65536 to 67108864"`
	MaxItems       int           `doc:"largest number of nodes of one server that are monitored; 1 to 1000000"`
	MaxCommands    int           `doc:"number of commands for the devices of a server that wait or are being done, beyond which further ones are not taken; 1 to 10000"`
	CommandTimeout time.Duration `doc:"longest duration of a command at the server; 100ms to 60s"`
	RetryDelay     time.Duration `doc:"longest duration between two attempts to store a message, or to be admitted as the gateway; 1s to 10m"`
	AuthTimeout    time.Duration `doc:"duration after which a decision of the registry is no longer waited for, and is asked for again later; 100ms to 60s"`
	DrainTimeout   time.Duration `doc:"longest duration that a stop waits for messages that are being stored; longer than a record waits for Kafka; up to 60s"`
}

// DefaultConfig knows neither mapping nor gateway nor folder. A server keeps what is not stored for an hour, as far as its queues
// hold it.
func DefaultConfig() Config {
	return Config{
		Timeout:        10 * time.Second,
		ReconnectDelay: 30 * time.Second,
		KeepAlive:      5 * time.Second,
		SessionTimeout: 5 * time.Minute,
		Outage:         time.Hour,
		Refresh:        10 * time.Minute,
		Window:         64,
		InFlight:       1000,
		MaxMessage:     16 << 20,
		MaxItems:       100_000,
		MaxCommands:    256,
		CommandTimeout: 10 * time.Second,
		RetryDelay:     10 * time.Second,
		AuthTimeout:    10 * time.Second,
		DrainTimeout:   15 * time.Second,
	}
}

// maxURI is the length of an application URI in bytes.
const maxURI = 1024

// Validate names the first bad field. The mapping is read later.
func (c *Config) Validate() error {
	switch {
	case c.Mapping == "":
		return errors.New("mapping: is missing")
	case c.Folder == "":
		return errors.New("folder: is missing")
	case len(c.ApplicationURI) > maxURI || !utf8.ValidString(c.ApplicationURI) || hasSpace(c.ApplicationURI):
		return errors.New("applicationURI: must be a URI of up to 1024 bytes")
	}
	if err := c.validateDurations(); err != nil {
		return err
	}
	return c.validateNumbers()
}

func hasSpace(text string) bool {
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return true
		}
	}
	return false
}

func (c *Config) validateDurations() error {
	const instant, short, long = 100 * time.Millisecond, time.Minute, 10 * time.Minute
	within := func(d, least, most time.Duration) bool { return d >= least && d <= most }
	switch {
	case !within(c.Timeout, instant, short):
		return errors.New("timeout: must lie between 100ms and 60s")
	case !within(c.ReconnectDelay, time.Second, long):
		return errors.New("reconnectDelay: must lie between 1s and 10m")
	case !within(c.KeepAlive, instant, 5*time.Minute):
		return errors.New("keepAlive: must lie between 100ms and 5m")
	case !within(c.SessionTimeout, 10*time.Second, time.Hour):
		return errors.New("sessionTimeout: must lie between 10s and 1h")
	case !within(c.Outage, time.Minute, 24*time.Hour):
		return errors.New("outage: must lie between 1m and 24h")
	case !within(c.Refresh, 10*time.Second, 24*time.Hour):
		return errors.New("refresh: must lie between 10s and 24h")
	case !within(c.CommandTimeout, instant, short):
		return errors.New("commandTimeout: must lie between 100ms and 60s")
	case !within(c.RetryDelay, time.Second, long):
		return errors.New("retryDelay: must lie between 1s and 10m")
	case !within(c.AuthTimeout, instant, short):
		return errors.New("authTimeout: must lie between 100ms and 60s")
	case !within(c.DrainTimeout, 0, short):
		return errors.New("drainTimeout: must lie between 0s and 60s")
	}
	return nil
}

func (c *Config) validateNumbers() error {
	switch {
	case c.Window < 1 || c.Window > 1000:
		return errors.New("window: must lie between 1 and 1000")
	case c.InFlight < 1 || c.InFlight > 100_000:
		return errors.New("inFlight: must lie between 1 and 100000")
	case c.MaxMessage < 64<<10 || c.MaxMessage > 64<<20:
		return errors.New("maxMessage: must lie between 65536 and 67108864")
	case c.MaxItems < 1 || c.MaxItems > 1_000_000:
		return errors.New("maxItems: must lie between 1 and 1000000")
	case c.MaxCommands < 1 || c.MaxCommands > 10_000:
		return errors.New("maxCommands: must lie between 1 and 10000")
	}
	return nil
}

// endpoint is how a server is reached, without what only the mapping says.
func (c *Config) endpoint() opcua.EndpointConfig {
	return opcua.EndpointConfig{
		Folder: c.Folder, ApplicationURI: c.ApplicationURI,
		Timeout: c.Timeout, SessionTimeout: c.SessionTimeout, Outage: c.Outage, KeepAlive: c.KeepAlive, LongestPause: c.ReconnectDelay,
		Window: c.Window, MaxMessage: c.MaxMessage, MaxItems: c.MaxItems,
	}
}
