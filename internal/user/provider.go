package user

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/fairlead/fairlead/internal/outcome"
)

// Limits of talking to a provider.
const (
	maxDocument  = 1 << 20 // bytes of one answer
	maxTokenFile = 64 << 10
)

// A provider is one OpenID provider (OpenID Connect Core 1.0) whose tokens are taken.
type provider struct {
	name    string
	config  ProviderConfig
	client  *http.Client
	keys    *keyring
	metrics *metrics

	mu      sync.Mutex
	keysURL string // "" until the discovery document was read
}

func newProvider(name string, c ProviderConfig, m *metrics) (*provider, error) {
	transport, err := newTransport(c)
	if err != nil {
		return nil, fmt.Errorf("openid provider %s: %w", name, err)
	}
	p := &provider{name: name, config: c, metrics: m, keysURL: c.KeysURL}
	p.client = &http.Client{Transport: transport, Timeout: c.Timeout, CheckRedirect: noRedirect}
	p.keys = newKeyring(c.KeysTTL, c.KeysHardTTL, p.fetchKeys)
	return p, nil
}

// noRedirect keeps to the addresses that the operator and the discovery document give.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// verify checks a token's signature and gives its claims and the key that made it. The error is a reason to refuse the
// token, or has outcome.Unavailable if the provider's keys are needed and cannot be had.
func (p *provider) verify(ctx context.Context, token string) (claims, thumbprint, error) {
	check := &signature{provider: p}
	verifier := oidc.NewVerifier(p.config.Issuer, check, &oidc.Config{
		SupportedSigningAlgs: p.config.Algorithms,
		SkipClientIDCheck:    true, // there are several clients: claims.check
		SkipExpiryCheck:      true, // claims.check, with our skew
	})
	verified, err := verifier.Verify(ctx, token)
	if check.err != nil {
		return nil, thumbprint{}, check.err // go-oidc keeps its text only
	}
	if err != nil {
		return nil, thumbprint{}, refused(errNotToken)
	}
	var c claims
	if err := verified.Claims(&c); err != nil {
		return nil, thumbprint{}, refused(errClaims)
	}
	if c.text("iss") != p.config.Issuer {
		return nil, thumbprint{}, refused(errIssuer)
	}
	return c, check.print, nil
}

// A signature is the check of one token's signature. It remembers what go-oidc does not hand on.
type signature struct {
	provider *provider
	print    thumbprint
	err      error
}

var _ oidc.KeySet = (*signature)(nil)

// VerifySignature gives the payload of a token that one of the provider's keys has signed. Which key that is, only the
// header's key id says: keys and addresses of keys in the header are ignored.
func (s *signature) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := s.verify(ctx, token)
	s.err = err
	return payload, err
}

func (s *signature) verify(ctx context.Context, token string) ([]byte, error) {
	allowed := make([]jose.SignatureAlgorithm, len(s.provider.config.Algorithms))
	for i, algorithm := range s.provider.config.Algorithms {
		allowed[i] = jose.SignatureAlgorithm(algorithm)
	}
	signed, err := jose.ParseSignedCompact(token, allowed)
	if err != nil || len(signed.Signatures) != 1 {
		return nil, refused(errNotToken)
	}
	header := signed.Signatures[0].Protected
	if !isTokenType(header) {
		return nil, refused(errType)
	}
	keys, err := s.provider.keys.find(ctx, header.KeyID, header.Algorithm)
	switch {
	case errors.Is(err, errKey):
		return nil, refused(errKey)
	case errors.Is(err, errStorm):
		return nil, outcome.Wrap(outcome.Overloaded, "too many unknown tokens", err)
	case err != nil:
		return nil, unavailable("the identity provider cannot be reached", err)
	}
	for _, key := range keys {
		if payload, err := signed.Verify(key.Key); err == nil {
			s.print, _ = printOf(&key)
			return payload, nil
		}
	}
	return nil, refused(errSignature)
}

// isTokenType tells ID tokens and access tokens (RFC 9068 section 2.1) from what a provider signs with the same key for
// other purposes, such as a logout token.
func isTokenType(header jose.Header) bool {
	value, given := header.ExtraHeaders[jose.HeaderType]
	if !given {
		return true
	}
	text, _ := value.(string)
	text = strings.ToLower(strings.TrimPrefix(strings.ToLower(text), "application/"))
	return text == "jwt" || text == "at+jwt"
}

// fetchKeys reads the provider's keys (RFC 7517 section 5).
func (p *provider) fetchKeys(ctx context.Context) (keys []jose.JSONWebKey, err error) {
	defer func() { p.metrics.fetched(p.name, err) }()
	location, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	document, err := p.get(ctx, location)
	if err != nil {
		p.forget()
		return nil, fmt.Errorf("fetching the keys of openid provider %s: %w", p.name, err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("the keys of openid provider %s do not parse", p.name)
	}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil { // a key of a kind that is not known is none of ours
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// discover gives the address of the keys, from the provider's discovery document (OpenID Connect Discovery 1.0 section 4)
// unless it is configured. The document's issuer must be the configured one.
func (p *provider) discover(ctx context.Context) (string, error) {
	p.mu.Lock()
	known := p.keysURL
	p.mu.Unlock()
	if known != "" {
		return known, nil
	}
	discovered, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.config.Issuer)
	if err != nil {
		return "", fmt.Errorf("reading the discovery document of openid provider %s: %w", p.name, err)
	}
	var document struct {
		KeysURL string `json:"jwks_uri"`
	}
	if err := discovered.Claims(&document); err != nil {
		return "", fmt.Errorf("the discovery document of openid provider %s does not parse", p.name)
	}
	if err := p.config.checkURL(document.KeysURL); err != nil {
		return "", fmt.Errorf("the discovery document of openid provider %s: jwks_uri: %w", p.name, err)
	}
	p.mu.Lock()
	p.keysURL = document.KeysURL
	p.mu.Unlock()
	return document.KeysURL, nil
}

// forget has the address of the keys looked up anew.
func (p *provider) forget() {
	p.mu.Lock()
	p.keysURL = p.config.KeysURL
	p.mu.Unlock()
}

func (p *provider) get(ctx context.Context, location string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered %d", response.StatusCode)
	}
	return io.ReadAll(response.Body) // bounded by the transport
}

// A transport bounds what a provider answers, and shows it our token if it wants one.
type transport struct {
	http.RoundTripper
	hosts     []string // that get the token
	tokenFile string
}

func newTransport(c ProviderConfig) (*transport, error) {
	base := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxConnsPerHost:        4,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("caFile: %w", err)
		}
		base.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !base.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("caFile: holds no certificate")
		}
	}
	issuer, err := url.Parse(c.Issuer)
	if err != nil {
		return nil, errors.New("issuer: is not a URL")
	}
	keys, err := url.Parse(c.KeysURL)
	if err != nil {
		return nil, errors.New("keysURL: is not a URL")
	}
	return &transport{RoundTripper: base, hosts: []string{issuer.Host, keys.Host}, tokenFile: c.TokenFile}, nil
}

// RoundTrip sends one request.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.tokenFile != "" && slices.Contains(t.hosts, request.URL.Host) {
		token, err := readTokenFile(t.tokenFile)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := t.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxDocument)
	}
	return response, err
}

// readTokenFile reads a token that something else, such as the kubelet, keeps fresh.
func readTokenFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading our own token: %w", err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxTokenFile))
	token := strings.TrimSpace(string(content))
	if err != nil || token == "" {
		return "", errors.New("reading our own token: the file is empty or cannot be read")
	}
	return token, nil
}
