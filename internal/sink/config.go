package sink

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/event"
)

// A Config says where the sink is and how patient senders are. The first three are what a Knative SinkBinding sets.
type Config struct {
	URL             string        `doc:"http or https URL of a CloudEvents sink that takes the place of Kafka for events of devices; empty: K_SINK, as a SinkBinding sets it; without both, events go to Kafka"`
	CEOverrides     string        `doc:"JSON with the member extensions, whose members are extension attributes that every event is given; empty: K_CE_OVERRIDES"`
	CACerts         string        `doc:"PEM certificates of authorities that are trusted in addition to the system's; empty: K_CA_CERTS"`
	TokenFile       string        `doc:"file with the OIDC token that the sink asks for, such as /oidc/token, where a SinkBinding puts it; read anew as it changes"`
	DeliveryTimeout time.Duration `doc:"duration after which an event that the sink has not acknowledged is answered as unavailable; 1s to 25s, so that the answer leaves before a function's 30s limit"`
	MaxRecords      int           `doc:"number of events that may wait for the sink at once, beyond which senders are told to come back later"`
	MaxBytes        int           `doc:"bytes of events that may wait for the sink at once"`
	Concurrency     int           `doc:"number of requests at once; no two are for the same sender"`
}

// DefaultConfig has no sink; the bounds are those of Kafka.
func DefaultConfig() Config {
	return Config{DeliveryTimeout: 10 * time.Second, MaxRecords: 10_000, MaxBytes: 64 << 20, Concurrency: 128}
}

// Bind fills what is empty from what a SinkBinding puts into the environment, given as NAME=value.
func (c *Config) Bind(environment []string) {
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		for _, b := range []struct {
			name string
			into *string
		}{{"K_SINK", &c.URL}, {"K_CE_OVERRIDES", &c.CEOverrides}, {"K_CA_CERTS", &c.CACerts}} {
			if name == b.name && *b.into == "" {
				*b.into = value
			}
		}
	}
}

// InUse tells whether there is a sink.
func (c *Config) InUse() bool { return c.URL != "" }

// Validate names the first bad field.
func (c *Config) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
		return errors.New("url: must be an http or https URL without user (K_SINK)")
	}
	if _, err := c.extensions(); err != nil {
		return fmt.Errorf("ceOverrides: %w (K_CE_OVERRIDES)", err)
	}
	if c.CACerts != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.CACerts)) {
		return errors.New("caCerts: must hold a certificate in PEM (K_CA_CERTS)")
	}
	switch {
	case c.DeliveryTimeout < time.Second || c.DeliveryTimeout > 25*time.Second:
		return errors.New("deliveryTimeout: must lie between 1s and 25s")
	case c.MaxRecords < 1:
		return errors.New("maxRecords: must be at least 1")
	case c.MaxBytes < 1<<20:
		return errors.New("maxBytes: must be at least 1048576")
	case c.Concurrency < 1 || c.Concurrency > 10_000:
		return errors.New("concurrency: must lie between 1 and 10000")
	}
	return nil
}

// attributes are those of CloudEvents itself, which nothing overrides.
var attributes = []string{"specversion", "id", "type", "source", "subject", "time", "datacontenttype", "dataschema", "data"}

// extensions are the attributes that events are given, by header.
func (c *Config) extensions() (map[string]string, error) {
	if c.CEOverrides == "" {
		return nil, nil
	}
	var overrides struct {
		Extensions map[string]string `json:"extensions"`
	}
	if json.Unmarshal([]byte(c.CEOverrides), &overrides) != nil {
		return nil, errors.New(`must be JSON such as {"extensions":{"name":"value"}}`)
	}
	headers := make(map[string]string, len(overrides.Extensions))
	for _, name := range slices.Sorted(maps.Keys(overrides.Extensions)) {
		bad := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
		if name == "" || strings.ContainsFunc(name, bad) || slices.Contains(attributes, name) {
			return nil, fmt.Errorf("%.40q cannot be the name of an extension attribute", name)
		}
		headers[headerName(name)] = event.HeaderValue(overrides.Extensions[name])
	}
	return headers, nil
}

// headerName is the header that carries an attribute, as net/http spells it.
func headerName(attribute string) string {
	return "Ce-" + strings.ToUpper(attribute[:1]) + attribute[1:]
}
