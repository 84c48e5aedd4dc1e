package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/internal/user"
)

const (
	password = "hey-rodney"
	secret   = "hunter2"
)

// start runs a provider and gives its issuer.
func start(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p, err := New(Options{Issuer: server.URL, User: "dev", Password: password, ClientSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", p)
	return server.URL
}

// nothing is a store without tokens and names.
type nothing struct{}

func (nothing) CreateToken(context.Context, user.Token) error            { return nil }
func (nothing) ListTokens(context.Context, string) ([]user.Token, error) { return nil, nil }
func (nothing) DeleteToken(context.Context, string, string) error        { return registry.ErrNotFound }
func (nothing) FindToken(context.Context, string) (*user.Token, error) {
	return nil, registry.ErrNotFound
}
func (nothing) RememberUser(context.Context, string, string) error             { return nil }
func (nothing) UserByName(context.Context, string) (string, error)             { return "", registry.ErrNotFound }
func (nothing) UserNames(context.Context, []string) (map[string]string, error) { return nil, nil }

// check asks internal/user who a token stands for, as the API does.
func check(t *testing.T, issuer, token string) *user.Identity {
	t.Helper()
	c, p := user.DefaultConfig(), &user.ProviderConfig{}
	p.SetDefaults()
	p.Issuer, p.Clients, p.ServiceClients = issuer, []string{People}, []string{Services}
	c.Providers = map[string]*user.ProviderConfig{"dev": p}
	a, err := user.New(c, nothing{}, nothing{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := a.Check(t.Context(), user.Bearer(token))
	if err != nil {
		t.Fatalf("the token is not taken: %v", err)
	}
	return identity
}

// program is what fairlead and drg are to the provider.
func program(issuer, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: People, RedirectURL: redirect, Scopes: []string{"openid", "offline_access"},
		Endpoint: oauth2.Endpoint{
			AuthURL: issuer + "/authorize", TokenURL: issuer + "/oauth/token", DeviceAuthURL: issuer + "/device_authorization",
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

var errArrived = errors.New("the browser has arrived at the program")

// browse logs in as a person does, and gives the address at which the program is called back.
func browse(t *testing.T, address, name, password string) (*url.URL, int) {
	t.Helper()
	var arrived *url.URL
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Query().Has("code") || r.URL.Query().Has("error") {
			arrived = r.URL
			return errArrived
		}
		return nil
	}}
	response, err := browser.Get(address)
	if errors.Is(err, errArrived) {
		return arrived, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || !strings.Contains(string(page), `name="password"`) {
		return nil, response.StatusCode
	}
	form := url.Values{"username": {name}, "password": {password}, "id": {response.Request.URL.Query().Get("id")}}
	answer, err := browser.PostForm(response.Request.URL.String(), form)
	if errors.Is(err, errArrived) {
		return arrived, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return nil, answer.StatusCode
}

func TestLoginWithABrowser(t *testing.T) {
	issuer := start(t)
	for _, redirect := range []string{"http://localhost:4711", "http://127.0.0.1:4711/callback"} {
		c, verifier := program(issuer, redirect), oauth2.GenerateVerifier()
		arrived, _ := browse(t, c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), "dev", password)
		if arrived == nil || arrived.Host != strings.SplitN(redirect, "/", 4)[2] || arrived.Query().Get("state") != "state" {
			t.Fatalf("the browser arrived at %v", arrived)
		}
		code := arrived.Query().Get("code")
		tokens, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		identity := check(t, issuer, tokens.AccessToken)
		if identity.ID != UserID || identity.Name != "dev" || !identity.Admin || identity.Service {
			t.Errorf("%+v", identity)
		}
		if _, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier)); err == nil {
			t.Error("a code is taken twice")
		}
		refreshed, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
		if err != nil || refreshed.RefreshToken == tokens.RefreshToken {
			t.Fatalf("refreshing: %v", err)
		}
		if identity := check(t, issuer, refreshed.AccessToken); identity.ID != UserID {
			t.Errorf("%+v", identity)
		}
		if _, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token(); err == nil {
			t.Error("a refresh token is taken twice")
		}
	}
}

func TestLoginIsRefused(t *testing.T) {
	issuer := start(t)
	c, verifier := program(issuer, "http://127.0.0.1:4711/callback"), oauth2.GenerateVerifier()
	challenge := oauth2.S256ChallengeOption(verifier)
	f := func(name, address, user, password string, want int) {
		t.Helper()
		if arrived, status := browse(t, address, user, password); arrived != nil && arrived.Query().Has("code") || status != want {
			t.Errorf("%s: arrived at %v, status %d; want %d", name, arrived, status, want)
		}
	}
	f("wrong password", c.AuthCodeURL("s", challenge), "dev", "x", http.StatusForbidden)
	f("wrong user", c.AuthCodeURL("s", challenge), "root", password, http.StatusForbidden)
	f("a log-in that nobody began", issuer+"/login?id=x", "dev", password, http.StatusBadRequest)
	for _, redirect := range []string{"https://mallory.example/", "http://127.0.0.1.mallory.example/callback", "http://127.0.0.1:4711/elsewhere", "http://192.0.2.1/callback"} {
		f("answer to "+redirect, program(issuer, redirect).AuthCodeURL("s", challenge), "dev", password, http.StatusBadRequest)
	}
	implicit := c.AuthCodeURL("s", challenge, oauth2.SetAuthURLParam("response_type", "token"))
	if arrived, _ := browse(t, implicit, "dev", password); arrived != nil && !arrived.Query().Has("error") {
		t.Errorf("a token without a code: %v", arrived)
	}
	arrived, _ := browse(t, c.AuthCodeURL("s", challenge), "dev", password)
	if _, err := c.Exchange(t.Context(), arrived.Query().Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
		t.Error("another program's code is taken")
	}
	arrived, _ = browse(t, c.AuthCodeURL("s", challenge), "dev", password)
	if _, err := c.Exchange(t.Context(), arrived.Query().Get("code")); err == nil {
		t.Error("a code is taken without its verifier")
	}
}

func TestLoginWithACode(t *testing.T) {
	issuer := start(t)
	c := program(issuer, "")
	device, err := c.DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if device.VerificationURI != issuer+"/device" {
		t.Errorf("the user is sent to %s", device.VerificationURI)
	}
	enter := func(code, password string) int {
		response, err := http.PostForm(device.VerificationURI, url.Values{"user_code": {code}, "username": {"dev"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if status := enter(device.UserCode, "x"); status != http.StatusForbidden {
		t.Errorf("wrong password: %d", status)
	}
	if status := enter("BBBB-BBBB", password); status != http.StatusBadRequest {
		t.Errorf("wrong code: %d", status)
	}
	if status := enter(device.UserCode, password); status != http.StatusOK {
		t.Errorf("right code: %d", status)
	}
	if status := enter(device.UserCode, password); status != http.StatusBadRequest {
		t.Errorf("the code again: %d", status)
	}
	device.Interval = 1
	tokens, err := c.DeviceAccessToken(t.Context(), device)
	if err != nil {
		t.Fatal(err)
	}
	if identity := check(t, issuer, tokens.AccessToken); identity.ID != UserID || !identity.Admin {
		t.Errorf("%+v", identity)
	}
	if tokens.RefreshToken == "" {
		t.Error("there is no refresh token")
	}
	if _, err := c.DeviceAccessToken(t.Context(), device); err == nil {
		t.Error("a device code is taken twice")
	}
}

func TestServices(t *testing.T) {
	issuer := start(t)
	c := clientcredentials.Config{ClientID: Services, ClientSecret: secret, TokenURL: issuer + "/oauth/token"}
	tokens, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if identity := check(t, issuer, tokens.AccessToken); !identity.Service || identity.Admin || identity.ID != Services {
		t.Errorf("%+v", identity)
	}
	for id, secret := range map[string]string{Services: "x", People: "", "other": secret, UserID: password} {
		wrong := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: issuer + "/oauth/token"}
		if _, err := wrong.Token(t.Context()); err == nil {
			t.Errorf("client %s with secret %q is let in", id, secret)
		}
	}
}

func TestOnlyThisMachine(t *testing.T) {
	for _, issuer := range []string{"http://192.0.2.1:8082", "http://mallory.example", "https://127.0.0.1", "", "http://0.0.0.0:8082"} {
		if _, err := New(Options{Issuer: issuer, User: "dev", Password: password, ClientSecret: secret}); err == nil {
			t.Errorf("issuer %q is taken", issuer)
		}
	}
	for _, o := range []Options{{User: "dev", Password: password}, {User: "dev", ClientSecret: secret}, {Password: password, ClientSecret: secret}} {
		o.Issuer = "http://127.0.0.1:1"
		if _, err := New(o); err == nil {
			t.Error("a provider without a secret is made")
		}
	}
	issuer := start(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"mallory.example": http.StatusMisdirectedRequest, "localhost:1": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:7": http.StatusOK} {
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want || response.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("host %s: %d, want %d; %v", host, response.StatusCode, want, response.Header)
		}
	}
	request.Host = ""
	request.Header["Authorization"] = []string{"Basic eDp5", "Basic eDp5"}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("two Authorization headers: %d", response.StatusCode)
	}
}

// A provider that starts anew knows nothing of what the one before has issued.
func TestRestart(t *testing.T) {
	first, second := start(t), start(t)
	c := clientcredentials.Config{ClientID: Services, ClientSecret: secret, TokenURL: first + "/oauth/token"}
	tokens, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &user.ProviderConfig{}
	p.SetDefaults()
	p.Issuer, p.KeysURL, p.Clients, p.ServiceClients = first, second+"/keys", []string{People}, []string{Services}
	config := user.DefaultConfig()
	config.Providers = map[string]*user.ProviderConfig{"dev": p}
	a, err := user.New(config, nothing{}, nothing{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Check(t.Context(), user.Bearer(tokens.AccessToken)); outcome.Of(err) != outcome.Unauthenticated {
		t.Errorf("with the keys of another: %v", err)
	}
}

func TestDevicesAreBounded(t *testing.T) {
	d := newDevices()
	for n := range maxDevices {
		if err := d.begin(People, fmt.Sprint("d", n), fmt.Sprint("u", n), time.Now().Add(time.Minute), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.begin(People, "more", "more", time.Now(), nil); err == nil {
		t.Error("there is no bound")
	}
	for _, s := range d.byCode {
		s.Expires = time.Now().Add(-time.Second)
	}
	if err := d.begin(People, "more", "more", time.Now().Add(time.Minute), nil); err != nil || len(d.byUser) != 1 {
		t.Errorf("after the others have expired: %v, %d left", err, len(d.byUser))
	}
	if err := d.begin(People, "again", "more", time.Now().Add(time.Minute), nil); err == nil {
		t.Error("a user's code is given twice")
	}
}
