package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// A Registrar creates a device that connects for the first time, as its application wishes. Whether the chain leads to a trust anchor is
// for the registrar to check, too. A device that is there already is the answer as well: of several who ask at once, each gets the
// same one. Errors are ErrNotRegistered, outcome.Overloaded where the application's devices come too fast, and any other if nobody
// can tell.
type Registrar interface {
	Register(ctx context.Context, application string, chain CertificateChain) (*registry.Device, error)
}

// ErrNotRegistered says that a device is not to be registered.
var ErrNotRegistered = errors.New("the device is not registered")

// RegisterWith has devices registered that are not known, in applications that wish it. It is for before the first request.
func (s *Service) RegisterWith(r Registrar) { s.registrar = r }

// register has an unknown device registered. One that was admitted before and is renewed is not: it was deleted.
func (s *Service) register(ctx context.Context, a *registry.Application, r Request) (*registry.Device, error) {
	chain, ok := r.Credential.(CertificateChain)
	if !ok || s.registrar == nil || r.Renewal || isOnlyRemembered(ctx) {
		return nil, errNoDevice
	}
	wish, err := a.DeviceRegistration()
	if err != nil || !wish.Enabled {
		return nil, errNoDevice
	}
	verified, err := verifyDevice(chain, r.Device, a, time.Now())
	if err != nil || (wish.RequireProof && !verified.Proven) {
		return nil, errNotRegistered
	}
	device, err := s.registrar.Register(ctx, a.Metadata.Name, chain)
	if errors.Is(err, ErrNotRegistered) {
		return nil, errNotRegistered
	}
	if err != nil {
		return nil, err
	}
	return enabled(device)
}

// WireRegistration is the body of a request to register a device: the chain in DER, leaf first, each certificate in base64.
type WireRegistration struct {
	Certificates [][]byte `json:"certificates"`
}

// RegistrationPath is where the registry takes them, below its URL.
func RegistrationPath(application string) string {
	return "/api/registry/v1alpha1/apps/" + url.PathEscape(application) + "/registrations"
}

// A RegistryConfig says where the registry is that registers devices.
type RegistryConfig struct {
	URL     string        `doc:"base URL of the registry's API, which registers devices when they first connect, in applications that wish it; empty: none are"`
	Token   string        `doc:"token that the registry takes for registering devices, registry.registrationToken there; empty: this process shows who it is by self, and the registry knows it as a service" secret:"true"`
	Timeout time.Duration `doc:"longest time for one registration with all attempts, where the request has no earlier deadline"`
}

// String keeps the token out of logs.
func (RegistryConfig) String() string { return "registry client" }

// GoString keeps the token out of logs.
func (c RegistryConfig) GoString() string { return c.String() }

// DefaultRegistryConfig leaves room for a cold start of the registry.
func DefaultRegistryConfig() RegistryConfig { return RegistryConfig{Timeout: 8 * time.Second} }

// Validate names the first bad field.
func (c *RegistryConfig) Validate() error {
	if err := checkBase(c.URL); err != nil {
		return err
	}
	if c.Timeout < 100*time.Millisecond {
		return errors.New("timeout: must be at least 100ms")
	}
	return nil
}

// maxRegistered bounds an answer of the registry, in bytes.
const maxRegistered = 256 << 10

// Bounds of registering at once.
const (
	maxRegistrations = 16   // of all applications; each has a quarter of them at most
	maxRegistering   = 1024 // that wait for their turn
)

// A RegistryClient asks the registry to register devices.
type RegistryClient struct {
	config RegistryConfig
	sign   func(*http.Request) error
	http   *http.Client
	turns  *turns
}

var _ Registrar = (*RegistryClient)(nil)

// NewRegistryClient makes a client whose requests carry the configured token, or, without one, what a function puts on them, which may be
// nil.
func NewRegistryClient(c RegistryConfig, sign func(*http.Request) error) *RegistryClient {
	transport := &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: maxRegistrations, IdleConnTimeout: idleFor}
	return &RegistryClient{c, sign, &http.Client{Transport: transport, CheckRedirect: noRedirect},
		newTurns(maxRegistrations, maxRegistrations/4, maxRegistering)}
}

// Register asks until there is an answer, or the time is over.
func (c *RegistryClient) Register(ctx context.Context, application string, chain CertificateChain) (*registry.Device, error) {
	body, err := json.Marshal(WireRegistration{chain})
	if err != nil {
		return nil, fmt.Errorf("writing a registration: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	if !c.turns.take(ctx, application) {
		return nil, overloaded("too many devices register at once")
	}
	defer c.turns.give(application, 0)
	pauses := backoff.New(firstPause, longestPause)
	for {
		device, again, err := c.try(ctx, application, body)
		if err == nil || !again || !pauses.Wait(ctx) {
			return device, err
		}
	}
}

// try asks once, and tells with an error whether another attempt may help.
func (c *RegistryClient) try(ctx context.Context, application string, body []byte) (device *registry.Device, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+RegistrationPath(application), bytes.NewReader(body))
	if err != nil {
		return nil, false, fmt.Errorf("making a registration: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if c.config.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.config.Token)
	} else if c.sign != nil {
		if err := c.sign(request); err != nil {
			return nil, true, fmt.Errorf("signing a registration: %w", err)
		}
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, true, fmt.Errorf("asking the registry to register a device: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxRegistered+1))
	if err != nil || len(text) > maxRegistered {
		return nil, true, errors.New("the registry's answer is too large or incomplete")
	}
	return readRegistration(response.StatusCode, text)
}

// readRegistration reads an answer of the registry.
func readRegistration(status int, text []byte) (device *registry.Device, again bool, err error) {
	switch status {
	case http.StatusOK:
		device, err := registry.DecodeDevice(text)
		if err != nil {
			return nil, false, errors.New("the registry's answer does not parse")
		}
		return device, false, nil
	case http.StatusNotFound, http.StatusConflict:
		return nil, false, ErrNotRegistered
	case http.StatusTooManyRequests:
		return nil, false, overloaded("too many devices of the application register at once")
	default:
		return nil, transient(status), outcome.Wrap(outcome.Unavailable, "the registry cannot be asked", fmt.Errorf("it answers %d", status))
	}
}
