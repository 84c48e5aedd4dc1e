package devcloud

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/fairlead/fairlead/internal/devcloud/folder"
	"github.com/fairlead/fairlead/internal/devcloud/identity"
	"github.com/fairlead/fairlead/internal/store/accounts"
	"github.com/fairlead/fairlead/internal/user"
	registryfn "github.com/fairlead/fairlead/registry-fn"
)

const (
	developer = "dev" // name of the one user

	// tokenDescription tells the access token of dev.json from those that the developer makes.
	tokenDescription = "fairlead dev"
	// tokenLifetime ends the access token of a process that was killed.
	tokenLifetime = 30 * 24 * time.Hour
)

// An Account is the user of the embedded identity provider, and how programs log in as that user.
type Account struct {
	Issuer        string `json:"issuer"` // URL of the identity provider
	Client        string `json:"client"` // client id for people's programs
	User          string `json:"user,omitempty"`
	Password      string `json:"password,omitempty"`
	Service       string `json:"service,omitempty"` // client id for services
	ServiceSecret string `json:"serviceSecret,omitempty"`
	AccessToken   string `json:"accessToken,omitempty"` // of the user, for the API
}

// secrets are what stays the same when a data folder is used again.
type secrets struct {
	Password     string `json:"password"`
	ClientSecret string `json:"clientSecret"`
}

// manage starts the identity provider, unless another one is given, and says what the API is put together with; nil is
// no API.
func (d *Dev) manage(l *listeners) (*Management, error) {
	if l.api == nil {
		return nil, nil
	}
	account := &Account{Issuer: d.config.Issuer, Client: identity.People}
	if account.Issuer == "" {
		if l.identity == nil {
			return nil, errors.New("the API needs an identity provider: give an address with --identity-address, or the URL of a real one with --issuer")
		}
		if err := d.startIdentity(l.identity, account); err != nil {
			return nil, err
		}
	}
	d.note.Account = account
	provider := &user.ProviderConfig{}
	provider.SetDefaults()
	provider.Issuer, provider.Clients, provider.ServiceClients = account.Issuer, []string{identity.People}, []string{identity.Services}
	users := user.DefaultConfig()
	users.Providers = map[string]*user.ProviderConfig{"dev": provider}
	if err := provider.Validate(); err != nil {
		return nil, fmt.Errorf("the provider given with --issuer: %w", err)
	}
	return &Management{Users: users, Endpoints: d.endpoints(l, account.Issuer)}, nil
}

func (d *Dev) startIdentity(listener net.Listener, account *Account) error {
	kept, err := d.secrets()
	if err != nil {
		return err
	}
	account.Issuer, account.User, account.Password = url(listener), developer, kept.Password
	account.Service, account.ServiceSecret = identity.Services, kept.ClientSecret
	provider, err := identity.New(identity.Options{
		Issuer: account.Issuer, User: account.User, Password: account.Password, ClientSecret: account.ServiceSecret, Logger: d.logger,
	})
	if err != nil {
		return fmt.Errorf("%w; give another address with --identity-address", err)
	}
	d.onClose(serve(newServer(provider), listener, d.fail))
	return nil
}

// secrets are drawn when a data folder is used for the first time.
func (d *Dev) secrets() (s secrets, err error) {
	name := d.folder.File("identity.json")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		// As long as is needed to be typed, and to be guessed by nobody on this machine.
		s = secrets{Password: strings.ToLower(rand.Text()[:16]), ClientSecret: rand.Text()}
		if err := folder.WriteJSON(name, s); err != nil {
			return s, fmt.Errorf("noting the developer's password: %w", err)
		}
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the developer's password: %w", err)
	}
	return s, nil
}

// lendToken makes an access token of the developer for dev.json, and ends those of processes before. There is none for
// the users of another identity provider.
func (d *Dev) lendToken(ctx context.Context, n *Neighbours) error {
	if d.note.Account == nil || d.note.Account.User == "" {
		return nil
	}
	known := accounts.New(n.Store)
	tokens, who := user.NewTokens(user.DefaultTokensConfig(), known), &user.Identity{ID: identity.UserID, Name: developer}
	if err := known.RememberUser(ctx, who.ID, who.Name); err != nil && !errors.Is(err, user.ErrNameTaken) {
		return fmt.Errorf("noting the developer: %w", err)
	}
	if err := endTokens(ctx, tokens, who); err != nil {
		return err
	}
	_, secret, err := tokens.Create(ctx, who, user.TokenRequest{Description: tokenDescription, Expires: time.Now().Add(tokenLifetime)})
	if err != nil {
		return fmt.Errorf("making an access token for dev.json: %w", err)
	}
	d.note.Account.AccessToken = secret
	d.onClose(func(ctx context.Context) error { return endTokens(ctx, tokens, who) })
	return nil
}

func endTokens(ctx context.Context, tokens *user.Tokens, who *user.Identity) error {
	list, err := tokens.List(ctx, who)
	if err != nil {
		return fmt.Errorf("looking for access tokens of dev.json: %w", err)
	}
	for _, token := range list {
		if token.Description != tokenDescription {
			continue
		}
		if err := tokens.Delete(ctx, who, token.Prefix); err != nil {
			return fmt.Errorf("ending an access token of dev.json: %w", err)
		}
	}
	return nil
}

// endpoints are what the discovery document tells clients.
func (d *Dev) endpoints(l *listeners, issuer string) registryfn.EndpointsConfig {
	e := registryfn.EndpointsConfig{API: url(l.api), Command: url(l.api), HTTP: url(l.http), MQTTWS: location("ws", l.mqttWS), Issuer: issuer}
	if l.mqtt != nil {
		e.MQTT = l.mqtt.Addr().String()
	}
	if l.consumers != nil {
		e.MQTTIntegration = l.consumers.Addr().String()
	}
	if l.mqtts != nil {
		e.SecureMQTT = l.mqtts.Addr().String()
	}
	if l.https != nil {
		e.SecureHTTP = "https://" + l.https.Addr().String()
	}
	if certificates, err := os.ReadFile(d.note.CA); err == nil {
		e.Authority, e.LocalCerts = string(certificates), true
	}
	e.WebsocketIntegration = location("ws", l.consumerWeb)
	// UDP has no listeners: these sockets are opened later.
	for _, socket := range []struct{ scheme, address string }{{"coap", d.config.COAP}, {"coaps", d.config.COAPS}} {
		if host, port, err := net.SplitHostPort(socket.address); err == nil && host != "" && port != "0" {
			e.COAP = socket.scheme + "://" + socket.address
		}
	}
	e.Kafka = strings.Join(d.note.Kafka, ",")
	return e
}
