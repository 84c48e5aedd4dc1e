package identity

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Lifetimes and limits.
const (
	tokenLifetime   = 5 * time.Minute
	requestLifetime = 10 * time.Minute // of a log-in that has begun
	codeLifetime    = time.Minute
	sessionLifetime = 30 * 24 * time.Hour
	maxRequests     = 1000
	maxSessions     = 1000
)

var errNotFound = errors.New("not found or expired")

// A storage is what the library asks for. Everything is in memory.
type storage struct {
	options  Options
	key      key
	clients  map[string]*client
	requests expiringMap[*request]
	codes    expiringMap[string]   // request by code
	sessions expiringMap[*session] // by refresh token
	devices  *devices
}

var (
	_ op.Storage                    = (*storage)(nil)
	_ op.ClientCredentialsStorage   = (*storage)(nil)
	_ op.DeviceAuthorizationStorage = (*storage)(nil)
)

func newStorage(o Options) (*storage, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the identity provider: %w", err)
	}
	return &storage{
		options:  o,
		key:      key{id: uuid.NewString(), private: private},
		clients:  map[string]*client{People: people(), Services: services()},
		requests: newExpiringMap[*request](maxRequests, requestLifetime),
		codes:    newExpiringMap[string](maxRequests, codeLifetime),
		sessions: newExpiringMap[*session](maxSessions, sessionLifetime),
		devices:  newDevices(),
	}, nil
}

// isUser compares digests, so that nothing shows in the time it takes.
func (s *storage) isUser(name, password string) bool {
	return same32(name, s.options.User)&same32(password, s.options.Password) == 1
}

func same32(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// CreateAuthRequest keeps a log-in that begins.
func (s *storage) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if slices.Contains(asked.Prompt, "none") {
		return nil, oidc.ErrLoginRequired()
	}
	r := &request{id: uuid.NewString(), asked: asked}
	s.requests.Add(r.id, r)
	return r, nil
}

// AuthRequestByID finds a log-in that has begun.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	r, ok := s.requests.Get(id)
	if !ok {
		return nil, fmt.Errorf("the log-in is %w", errNotFound)
	}
	return r, nil
}

// AuthRequestByCode finds a log-in that is done. A code is taken once.
func (s *storage) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	id, ok := s.codes.take(code)
	if !ok {
		return nil, fmt.Errorf("the code is %w", errNotFound)
	}
	return s.AuthRequestByID(ctx, id)
}

// SaveAuthCode keeps the code of a log-in that is done.
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.codes.Add(code, id)
	return nil
}

// DeleteAuthRequest forgets a log-in whose tokens are made.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.requests.take(id)
	return nil
}

// CreateAccessToken names an access token. None is kept: they end by themselves.
func (s *storage) CreateAccessToken(context.Context, op.TokenRequest) (string, time.Time, error) {
	return uuid.NewString(), time.Now().Add(tokenLifetime), nil
}

// CreateAccessAndRefreshTokens begins a session or goes on with one. A refresh token is taken once.
func (s *storage) CreateAccessAndRefreshTokens(ctx context.Context, asked op.TokenRequest, current string) (string, string, time.Time, error) {
	next, err := s.nextSession(asked, current)
	if err != nil {
		return "", "", time.Time{}, err
	}
	refresh := rand.Text() + rand.Text()
	s.sessions.Add(refresh, next)
	id, until, err := s.CreateAccessToken(ctx, asked)
	return id, refresh, until, err
}

func (s *storage) nextSession(asked op.TokenRequest, current string) (*session, error) {
	if current != "" {
		present, ok := s.sessions.take(current)
		if !ok {
			return nil, op.ErrInvalidRefreshToken
		}
		return present, nil
	}
	login, ok := asked.(op.IDTokenRequest)
	if !ok {
		return nil, op.ErrInvalidRefreshToken
	}
	return &session{client: login.GetClientID(), scopes: login.GetScopes(), since: login.GetAuthTime()}, nil
}

// TokenRequestByRefreshToken finds a session.
func (s *storage) TokenRequestByRefreshToken(_ context.Context, token string) (op.RefreshTokenRequest, error) {
	present, ok := s.sessions.Get(token)
	if !ok {
		return nil, op.ErrInvalidRefreshToken
	}
	return present.copy(), nil
}

// TerminateSession has nothing to do: sessions are known by their refresh tokens only.
func (s *storage) TerminateSession(context.Context, string, string) error { return nil }

// RevokeToken ends a session. Access tokens end by themselves.
func (s *storage) RevokeToken(_ context.Context, token, _, clientID string) *oidc.Error {
	if present, ok := s.sessions.Get(token); ok && present.client == clientID {
		s.sessions.take(token)
	}
	return nil
}

// GetRefreshTokenInfo finds a session.
func (s *storage) GetRefreshTokenInfo(_ context.Context, clientID, token string) (userID, tokenID string, err error) {
	if present, ok := s.sessions.Get(token); ok && present.client == clientID {
		return UserID, token, nil
	}
	return "", "", op.ErrInvalidRefreshToken
}

// ClientCredentials knows a service by its secret.
func (s *storage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := s.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return s.clients[id], nil
}

// ClientCredentialsTokenRequest is for a service itself.
func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, _ []string) (op.TokenRequest, error) {
	return serviceRequest{id}, nil
}

// GetClientByClientID finds a client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, oidc.ErrInvalidClient().WithDescription("there is no such client")
	}
	return c, nil
}

// AuthorizeClientIDSecret checks the secret of a service.
func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.clients[id]
	if !ok || !c.secret || same32(secret, s.options.ClientSecret) != 1 {
		return oidc.ErrInvalidClient().WithDescription("unknown client or wrong secret")
	}
	return nil
}

// SetUserinfoFromScopes fills an ID token.
func (s *storage) SetUserinfoFromScopes(_ context.Context, info *oidc.UserInfo, userID, _ string, _ []string) error {
	s.describe(info, userID)
	return nil
}

// SetUserinfoFromToken answers who the user is.
func (s *storage) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, _, subject, _ string) error {
	s.describe(info, subject)
	return nil
}

func (s *storage) describe(info *oidc.UserInfo, subject string) {
	info.Subject = subject
	if subject == UserID {
		info.PreferredUsername, info.Name = s.options.User, s.options.User
	}
}

// SetIntrospectionFromToken tells nothing of a token: nobody here asks.
func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotFound
}

// GetPrivateClaimsFromScopes are the claims of an access token that Keycloak would give.
func (s *storage) GetPrivateClaimsFromScopes(_ context.Context, userID, clientID string, _ []string) (map[string]any, error) {
	claims := map[string]any{"azp": clientID, "typ": "Bearer"}
	if userID == UserID {
		claims["preferred_username"] = s.options.User
		claims["realm_access"] = map[string]any{"roles": []string{adminRole}}
	}
	return claims, nil
}

// GetKeyByIDAndClientID finds no key: no client signs anything.
func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotFound
}

// ValidateJWTProfileScopes allows none.
func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, nil
}

// Health is good.
func (s *storage) Health(context.Context) error { return nil }

// StoreDeviceAuthorization keeps a program that waits for its user (RFC 8628).
func (s *storage) StoreDeviceAuthorization(_ context.Context, clientID, deviceCode, userCode string, expires time.Time, scopes []string) error {
	return s.devices.begin(clientID, deviceCode, userCode, expires, scopes)
}

// GetDeviceAuthorizatonState tells such a program whether its user has come.
func (s *storage) GetDeviceAuthorizatonState(_ context.Context, clientID, deviceCode string) (*op.DeviceAuthorizationState, error) {
	return s.devices.state(clientID, deviceCode)
}

// SigningKey is the one key.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return signingKey{s.key}, nil }

// SignatureAlgorithms is that of the key.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

// KeySet is what everybody may know of the key.
func (s *storage) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

// A key signs tokens. It lives as long as the process.
type key struct {
	id      string
	private crypto.Signer
}

// ID names the key.
func (k key) ID() string { return k.id }

// signingKey is the private side of a key.
type signingKey struct{ key }

// SignatureAlgorithm is that of the key.
func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }

// Key is the private key.
func (k signingKey) Key() any { return k.private }

// publicKey is the public side of a key.
type publicKey struct{ key }

// Algorithm is that of the key.
func (publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }

// Use is to sign.
func (publicKey) Use() string { return "sig" }

// Key is the public key.
func (k publicKey) Key() any { return k.private.Public() }
