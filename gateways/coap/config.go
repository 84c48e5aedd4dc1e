package coap

import (
	"errors"
	"net"
	"time"

	protocol "github.com/fairlead/fairlead/internal/coap"
	"github.com/fairlead/fairlead/internal/dtls"
)

// A Config says where the gateway listens and what devices may take.
type Config struct {
	Address            string        `doc:"host:port for plain CoAP over UDP, with log-ins that anybody on the way can read; empty: not at all"`
	SecureAddress      string        `doc:"host:port for CoAP over DTLS; empty: not at all"`
	CertificateFile    string        `doc:"PEM file with the certificate that the server shows over DTLS, followed by those of intermediate authorities; read again when it changes; empty: pre-shared keys only"`
	KeyFile            string        `doc:"PEM file with the private key of the certificate"`
	AuthTimeout        time.Duration `doc:"duration after which a log-in without a decision is answered as unavailable; it leaves room for a cold start of the authentication function"`
	MaxWait            time.Duration `doc:"longest time that a CoAP request waits for a command, whatever its ct says"`
	MaxWaiting         int           `doc:"number of CoAP requests that wait for a command at once, fewer than message.maxOpen; beyond, the application and the device that have the most give way, or the request is answered without waiting"`
	ObserveLifetime    time.Duration `doc:"how long an observation of commands lasts unless the device registers again; told to the device as Max-Age"`
	ReadmissionTimeout time.Duration `doc:"how long a DTLS session, an observation or a request that waits goes on without a decision, after what the log-in rested on has changed"`
	DrainTimeout       time.Duration `doc:"how long the gateway waits at its end for the last answers and their acknowledgement"`
	Message            protocol.Config
	Session            dtls.Config
}

// DefaultConfig listens to DTLS only.
func DefaultConfig() Config {
	return Config{
		SecureAddress:      ":5684",
		AuthTimeout:        8 * time.Second,
		MaxWait:            10 * time.Minute,
		MaxWaiting:         8_000,
		ObserveLifetime:    time.Hour,
		ReadmissionTimeout: time.Minute,
		DrainTimeout:       10 * time.Second,
		Message:            protocol.DefaultConfig(),
		Session:            dtls.DefaultConfig(),
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.Address == "" && c.SecureAddress == "":
		return errors.New("address: the gateway listens nowhere")
	case !validAddress(c.Address):
		return errors.New("address: must have the form host:port")
	case !validAddress(c.SecureAddress):
		return errors.New("secureAddress: must have the form host:port")
	case c.CertificateFile != "" && c.KeyFile == "":
		return errors.New("keyFile: is missing, but there is a certificate")
	case c.CertificateFile == "" && c.KeyFile != "":
		return errors.New("certificateFile: is missing, but there is a key")
	case c.AuthTimeout < 100*time.Millisecond || c.AuthTimeout > 30*time.Second:
		return errors.New("authTimeout: must lie between 100ms and 30s")
	case c.MaxWait < 0 || c.MaxWait > time.Hour:
		return errors.New("maxWait: must lie between 0s and 1h")
	case c.MaxWaiting < 0:
		return errors.New("maxWaiting: must not be negative")
	case c.MaxWaiting >= c.Message.MaxOpen && c.Message.MaxOpen > 0:
		return errors.New("maxWaiting: must be less than message.maxOpen, so that requests that wait leave room for others")
	case c.ObserveLifetime < time.Minute || c.ObserveLifetime > 24*time.Hour:
		return errors.New("observeLifetime: must lie between 1m and 24h")
	case c.ReadmissionTimeout < time.Second || c.ReadmissionTimeout > time.Hour:
		return errors.New("readmissionTimeout: must lie between 1s and 1h")
	case c.DrainTimeout < 0 || c.DrainTimeout > 5*time.Minute:
		return errors.New("drainTimeout: must lie between 0s and 5m")
	}
	return nil
}

func validAddress(address string) bool {
	if address == "" {
		return true
	}
	_, _, err := net.SplitHostPort(address)
	return err == nil
}
