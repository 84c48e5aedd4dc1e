package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// A Config says where Kafka is and how patient producers are.
type Config struct {
	Brokers         []string      `doc:"addresses host:port of some brokers, separated by commas"`
	SecretDir       string        `doc:"folder with a mounted Secret in the layout of Knative's Kafka components: protocol, sasl.mechanism, user, password, ca.crt, user.crt, user.key"`
	DeliveryTimeout time.Duration `doc:"duration after which a record that Kafka has not acknowledged is answered as unavailable; 1s to 25s, so that the answer leaves before a function's 30s limit"`
	Linger          time.Duration `doc:"duration that a producer waits for more records before it sends a batch; 0s sends at once, together with what came while the request before was on its way"`
	MaxRecords      int           `doc:"number of records that may wait for Kafka at once, beyond which senders are told to come back later"`
	MaxBytes        int           `doc:"bytes of records that may wait for Kafka at once"`
}

// DefaultConfig has no brokers; everything else suits a function.
func DefaultConfig() Config {
	return Config{DeliveryTimeout: 10 * time.Second, MaxRecords: 10_000, MaxBytes: 64 << 20}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case len(c.Brokers) == 0:
		return errors.New("brokers: at least one host:port is needed")
	case c.DeliveryTimeout < time.Second || c.DeliveryTimeout > 25*time.Second:
		return errors.New("deliveryTimeout: must lie between 1s and 25s")
	case c.Linger < 0 || c.Linger > time.Second:
		return errors.New("linger: must lie between 0s and 1s")
	case c.MaxRecords < 1:
		return errors.New("maxRecords: must be at least 1")
	case c.MaxBytes < 1<<20:
		return errors.New("maxBytes: must be at least 1048576")
	}
	return nil
}

// options are what every client of this configuration has in common.
func (c *Config) options() ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("fairlead"),
		kgo.DialTimeout(5 * time.Second),
	}
	if c.SecretDir == "" {
		return options, nil
	}
	secret, err := readSecret(c.SecretDir)
	if err != nil {
		return nil, err
	}
	more, err := secret.options()
	if err != nil {
		return nil, fmt.Errorf("kafka secret in %s: %w", c.SecretDir, err)
	}
	return append(options, more...), nil
}

// A secret is the content of a mounted Secret, by key. Its values never appear in errors.
type secret map[string]string

func readSecret(dir string) (secret, error) {
	s := secret{}
	for _, key := range []string{"protocol", "sasl.mechanism", "user", "password", "ca.crt", "user.crt", "user.key"} {
		content, err := os.ReadFile(filepath.Join(dir, key))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading kafka secret %s: %w", key, err)
		}
		s[key] = string(content)
	}
	return s, nil
}

func (s secret) options() (options []kgo.Opt, err error) {
	protocol := strings.TrimSpace(s["protocol"])
	encrypted := protocol == "SSL" || protocol == "SASL_SSL"
	authenticated := protocol == "SASL_PLAINTEXT" || protocol == "SASL_SSL"
	if !encrypted && !authenticated && protocol != "PLAINTEXT" && protocol != "" {
		return nil, errors.New("protocol: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
	}
	if encrypted {
		config, err := s.tls()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if authenticated {
		mechanism, err := s.mechanism()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return options, nil
}

func (s secret) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca := s["ca.crt"]; ca != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("ca.crt: holds no certificate")
		}
	}
	if s["user.crt"] == "" {
		return config, nil
	}
	pair, err := tls.X509KeyPair([]byte(s["user.crt"]), []byte(s["user.key"]))
	if err != nil {
		return nil, errors.New("user.crt and user.key: not a certificate with its key")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

func (s secret) mechanism() (sasl.Mechanism, error) {
	user, password := strings.TrimSpace(s["user"]), strings.TrimSpace(s["password"])
	switch strings.TrimSpace(s["sasl.mechanism"]) {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	default:
		return nil, errors.New("sasl.mechanism: must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
}
