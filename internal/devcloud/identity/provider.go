package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/fairlead/fairlead/internal/header"
)

const (
	// UserID is the subject of the one user.
	UserID = "dev"
	// adminRole is what makes its bearer an administrator, by the default configuration of internal/user.
	adminRole = "drogue-admin"

	deviceLifetime = 10 * time.Minute
	devicePoll     = time.Second
	maxForm        = 64 << 10 // bytes of a request
)

// Options say who may log in.
type Options struct {
	Issuer       string // URL of the provider, on a loopback address
	User         string // name of the one user
	Password     string
	ClientSecret string // of the client Services
	Logger       *slog.Logger
}

// A Provider is an OpenID provider.
type Provider struct{ http.Handler }

// New makes a provider. It refuses an issuer that is not on this machine.
func New(o Options) (*Provider, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Scheme != "http" || !isLoopback(issuer.Hostname()) {
		return nil, errors.New("the identity provider of fairlead dev runs on a loopback address only")
	}
	if o.User == "" || o.Password == "" || o.ClientSecret == "" {
		return nil, errors.New("the identity provider needs a user, a password and a secret")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := newStorage(o)
	if err != nil {
		return nil, err
	}
	config := &op.Config{
		CodeMethodS256:        true,
		GrantTypeRefreshToken: true,
		SupportedScopes:       []string{"openid", "profile", "offline_access"},
		DeviceAuthorization: op.DeviceAuthorizationConfig{
			Lifetime: deviceLifetime, PollInterval: devicePoll, UserFormPath: devicePath, UserCode: op.UserCodeBase20,
		},
	}
	_, _ = rand.Read(config.CryptoKey[:]) // never fails
	provider, err := op.NewProvider(config, s, op.StaticIssuer(o.Issuer), op.WithAllowInsecure(), op.WithCORSOptions(nil), op.WithLogger(o.Logger))
	if err != nil {
		return nil, fmt.Errorf("making the identity provider: %w", err)
	}
	mux := http.NewServeMux()
	pages := &pages{storage: s, callback: o.Issuer + provider.AuthorizationEndpoint().Relative() + "/callback"}
	pages.register(mux)
	mux.Handle("/", provider)
	return &Provider{Handler: onlyThisMachine(mux)}, nil
}

// onlyThisMachine keeps out web pages that reach this machine under a name of their own (DNS rebinding), and requests with two
// log-ins, and bounds what is sent.
func onlyThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !isLoopback(host) {
			http.Error(w, "this provider serves this machine only", http.StatusMisdirectedRequest)
			return
		}
		if _, ok := header.Single(r.Header, header.Authorization); !ok {
			http.Error(w, "more than one Authorization header", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
