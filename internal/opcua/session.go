package opcua

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/zap"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
	"github.com/fairlead/fairlead/internal/opcua/channel"
)

// A session is what a session at a server lives in after its connection has gone: it can be taken up again.
type session struct {
	token       uabinary.NodeID
	serverURI   string
	serverNonce []byte
	silence     time.Duration // after which the server is asked something, so that the session stays; 0 is unknown
	failures    int           // to take it up again, because the connection ended
}

// An endpoint is where and how a server is talked to.
type endpoint struct {
	description *uabinary.EndpointDescription
	security    channel.Security
	token       uabinary.UserTokenPolicy
}

// The kinds of user tokens.
const (
	tokenAnonymous   = 0
	tokenUserName    = 1
	tokenCertificate = 2
)

func (c *EndpointConfig) tokenType() uint32 {
	switch {
	case c.Identity.User != "":
		return tokenUserName
	case c.Identity.CertificateFile != "":
		return tokenCertificate
	default:
		return tokenAnonymous
	}
}

func (c *EndpointConfig) dial(ctx context.Context, s channel.Security) (*channel.Channel, error) {
	return channel.Dial(ctx, channel.Config{URL: c.URL, Security: s, Timeout: c.Timeout, Lifetime: c.TokenLifetime, MaxMessage: c.MaxMessage})
}

// discover asks the server for its endpoints, and finds the one that the configuration wants. Its certificate is trusted.
func (c *EndpointConfig) discover(ctx context.Context) (*endpoint, error) {
	ch, err := c.dial(ctx, channel.NoSecurity())
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	p, err := ch.Do(ctx, &uabinary.GetEndpointsRequest{EndpointURL: c.URL}, uabinary.NodeID{})
	if err != nil {
		return nil, fmt.Errorf("asking for endpoints: %w", err)
	}
	endpoints, ok := p.(*uabinary.GetEndpointsResponse)
	if !ok {
		return nil, fmt.Errorf("asking for endpoints: the server answers with %T", p)
	}
	e, err := c.choose(endpoints.Endpoints)
	if err != nil {
		return nil, err
	}
	if n := len(e.description.Server.ApplicationURI); n > mostURI {
		return nil, fmt.Errorf("the server's ApplicationUri has %d bytes, more than %d", n, mostURI)
	}
	return e, c.secure(e)
}

// mostURI is how many bytes a URI of the server may have.
const mostURI = 4096

// choose finds the endpoint with the policy and mode of the configuration, and the user token that its identity needs.
func (c *EndpointConfig) choose(all []uabinary.EndpointDescription) (*endpoint, error) {
	uri, err := c.policyURI()
	if err != nil {
		return nil, err
	}
	mode, err := c.mode()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(e uabinary.EndpointDescription) bool {
		return e.SecurityPolicyURI == uri && e.SecurityMode == uint32(mode)
	})
	if i < 0 {
		return nil, fmt.Errorf("the server offers no endpoint with policy %s and mode %s, but %s", c.Policy, c.Mode, offers(all))
	}
	e := &endpoint{description: &all[i], security: channel.Security{PolicyURI: uri, Mode: mode}}
	for _, token := range e.description.UserIdentityTokens {
		if token.SecurityPolicyURI == "" {
			token.SecurityPolicyURI = uri
		}
		if token.TokenType == c.tokenType() && c.protects(&token) {
			e.token = token
			return e, nil
		}
	}
	if c.tokenType() == tokenAnonymous {
		if len(e.description.UserIdentityTokens) == 0 {
			return e, nil
		}
		return nil, errors.New("the server lets nobody in who is anonymous")
	}
	return nil, errors.New("the server takes no such identity, or only with a security policy that protects it too little")
}

// protects tells whether an identity is not shown to others when it is told to the server as a token wants it: it is protected by
// the token's own policy or, for a password, by the encryption of the channel.
func (c *EndpointConfig) protects(token *uabinary.UserTokenPolicy) bool {
	switch {
	case token.TokenType == tokenAnonymous, isStrong(token.SecurityPolicyURI):
		return true
	default:
		return token.TokenType == tokenUserName && token.SecurityPolicyURI == ua.SecurityPolicyURINone && c.Mode == ModeSignAndEncrypt
	}
}

// isStrong tells whether a policy may protect a password or a signature.
func isStrong(policyURI string) bool {
	for _, p := range []Policy{PolicyBasic256Sha256, PolicyAes128Sha256RsaOaep, PolicyAes256Sha256RsaPss} {
		if policyURI == ua.SecurityPolicyURIPrefix+string(p) {
			return true
		}
	}
	return false
}

// offers lists what a server offers, for an error.
func offers(all []uabinary.EndpointDescription) string {
	const most = 10
	var b bytes.Buffer
	for i, e := range all[:min(len(all), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		modes := map[uint32]Mode{1: ModeNone, 2: ModeSign, 3: ModeSignAndEncrypt}
		_, policy, _ := bytes.Cut([]byte(e.SecurityPolicyURI), []byte("#"))
		fmt.Fprintf(&b, "%.60s/%s", policy, modes[e.SecurityMode])
	}
	if len(all) == 0 {
		return "none"
	}
	return b.String()
}

// secure loads the client's certificate and checks the server's, where they are needed: for the channel or for the identity.
func (c *EndpointConfig) secure(e *endpoint) error {
	if e.security.None() && c.tokenType() == tokenAnonymous {
		return nil
	}
	own, err := ownKeyPair(c.Folder, c.ApplicationURI)
	if err != nil {
		return err
	}
	e.security.Certificate, e.security.Key = own.der, own.key
	e.security.Server, err = trust{c.Folder}.check(e.description.ServerCertificate, c.URL)
	return err
}

// connect opens a secure channel with a session: the one from before if the server still has it, otherwise a new one.
func connect(ctx context.Context, c *EndpointConfig, before *session, log *zap.Logger) (conn *Connection, resumed bool, err error) {
	user, err := c.Identity.load()
	if err != nil {
		return nil, false, err
	}
	e, err := c.discover(ctx)
	if err != nil {
		return nil, false, err
	}
	ch, err := c.dial(ctx, e.security)
	if err != nil {
		return nil, false, err
	}
	conn = &Connection{config: c, channel: ch, endpoint: e, user: user, log: log}
	if resumed = before != nil && conn.resume(ctx, before); !resumed {
		err = conn.begin(ctx)
	}
	if err == nil {
		err = conn.learn(ctx)
	}
	if err != nil {
		if !resumed && ctx.Err() == nil && !errors.Is(err, channel.ErrTimeout) {
			_ = conn.Close() // or the server keeps a session of each attempt
		}
		ch.Close()
		return nil, false, err
	}
	return conn, resumed, nil
}

// mostResumes is how often a session is taken up again in vain because the connection ends meanwhile. Then the server may end it for that.
const mostResumes = 3

// resume takes a session up again, and tells whether the server still has it.
func (c *Connection) resume(ctx context.Context, before *session) bool {
	if before.serverURI != c.endpoint.description.Server.ApplicationURI || before.failures >= mostResumes {
		return false
	}
	c.session = *before
	err := c.activate(ctx)
	if err == nil {
		return true
	}
	var status Status
	if !errors.As(err, &status) {
		before.failures++
	}
	c.log.Debug("The session is gone.", zap.Error(err))
	return false
}

// begin makes a new session.
func (c *Connection) begin(ctx context.Context) error {
	c.session = session{}
	if err := c.createSession(ctx); err != nil {
		return err
	}
	return c.activate(ctx)
}

// createSession creates a session that is not activated yet.
func (c *Connection) createSession(ctx context.Context) error {
	security := &c.endpoint.security
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	q := &uabinary.CreateSessionRequest{
		ClientDescription: uabinary.ApplicationDescription{ApplicationURI: c.config.ApplicationURI, ProductURI: "urn:fairlead:opcua",
			ApplicationName: uabinary.LocalizedText{Text: "Fairlead"}, ApplicationType: 1},
		EndpointURL:             c.config.URL,
		SessionName:             "fairlead " + c.config.Name,
		ClientNonce:             nonce,
		ClientCertificate:       security.Certificate,
		RequestedSessionTimeout: float64(c.config.SessionTimeout.Milliseconds()),
		MaxResponseMessageSize:  uint32(c.config.MaxMessage),
	}
	p, err := do[*uabinary.CreateSessionResponse](ctx, c, q)
	if err != nil {
		return fmt.Errorf("creating a session: %w", err)
	}
	if !security.None() {
		if err := verifyServer(security, p, nonce); err != nil {
			return fmt.Errorf("creating a session: %w", err)
		}
	}
	c.session = session{token: p.AuthenticationToken, serverURI: c.endpoint.description.Server.ApplicationURI,
		serverNonce: p.ServerNonce}
	c.keepSession(p.RevisedSessionTimeout)
	return nil
}

// keepSession has the server be asked often enough for the session to stay, if its timeout is a number.
func (c *Connection) keepSession(timeout float64) {
	const least, longest = float64(time.Second), float64(time.Hour)
	if often := timeout * float64(time.Millisecond) / 3; often > 0 {
		c.session.silence = time.Duration(min(max(often, least), longest))
	}
}

// verifyServer checks that the session is with the owner of the certificate that the channel trusts.
func verifyServer(security *channel.Security, p *uabinary.CreateSessionResponse, nonce []byte) error {
	if !bytes.HasPrefix(p.ServerCertificate, security.Server) {
		return errors.New("the server shows another certificate than before")
	}
	algorithm, err := security.Asymmetric(security.PolicyURI, security.Key)
	if err != nil {
		return err
	}
	if p.ServerSignature.Algorithm != algorithm.SignatureURI() {
		return fmt.Errorf("the server signs with %.100q, not with %s", p.ServerSignature.Algorithm, algorithm.SignatureURI())
	}
	signed := slices.Concat(security.Certificate, nonce)
	if err := algorithm.VerifySignature(signed, p.ServerSignature.Signature); err != nil {
		return errors.New("the server's signature is wrong")
	}
	return nil
}

// activate logs the user in, and puts the session on the channel.
func (c *Connection) activate(ctx context.Context) error {
	q := &uabinary.ActivateSessionRequest{}
	if err := c.checkNonce(); err != nil {
		return fmt.Errorf("activating a session: %w", err)
	}
	if err := c.identify(q); err != nil {
		return fmt.Errorf("activating a session: %w", err)
	}
	if security := &c.endpoint.security; !security.None() {
		signature, err := sign(security, security.PolicyURI, security.Key, c.session.serverNonce)
		if err != nil {
			return fmt.Errorf("activating a session: %w", err)
		}
		q.ClientSignature = signature
	}
	p, err := do[*uabinary.ActivateSessionResponse](ctx, c, q)
	if err != nil {
		return fmt.Errorf("activating a session: %w", err)
	}
	c.session.serverNonce = p.ServerNonce
	return nil
}

// checkNonce checks what the server wants to be signed or encrypted with what is told to it: with a short nonce somebody could use it
// again (OPC 10000-4, 5.7.2).
func (c *Connection) checkNonce() error {
	const least, most = 32, 1024
	n := len(c.session.serverNonce)
	used := !c.endpoint.security.None() || c.config.tokenType() != tokenAnonymous && isStrong(c.endpoint.token.SecurityPolicyURI)
	if n > most || used && n < least {
		return fmt.Errorf("the server's nonce has %d bytes, not %d to %d", n, least, most)
	}
	return nil
}

// sign signs the server's certificate and nonce.
func sign(security *channel.Security, policy string, key *rsa.PrivateKey, nonce []byte) (uabinary.SignatureData, error) {
	algorithm, err := security.Asymmetric(policy, key)
	if err != nil {
		return uabinary.SignatureData{}, err
	}
	signature, err := algorithm.Signature(slices.Concat(security.Server, nonce))
	return uabinary.SignatureData{Algorithm: algorithm.SignatureURI(), Signature: signature}, err
}

// identify adds the user's token to a request.
func (c *Connection) identify(q *uabinary.ActivateSessionRequest) error {
	token := c.endpoint.token
	switch c.config.tokenType() {
	case tokenUserName:
		password, algorithm, err := encryptPassword(&c.endpoint.security, token.SecurityPolicyURI, c.user.password, c.session.serverNonce)
		if err != nil {
			return fmt.Errorf("encrypting the password: %w", err)
		}
		q.UserIdentityToken = uabinary.Encoded(id.UserNameIdentityToken_Encoding_DefaultBinary, &uabinary.UserNameIdentityToken{
			PolicyID: token.PolicyID, UserName: c.config.Identity.User, Password: password, EncryptionAlgorithm: algorithm})
	case tokenCertificate:
		q.UserIdentityToken = uabinary.Encoded(id.X509IdentityToken_Encoding_DefaultBinary, &uabinary.X509IdentityToken{
			PolicyID: token.PolicyID, CertificateData: c.user.pair.der})
		signature, err := sign(&c.endpoint.security, token.SecurityPolicyURI, c.user.pair.key, c.session.serverNonce)
		if err != nil {
			return fmt.Errorf("signing as the user: %w", err)
		}
		q.UserTokenSignature = signature
	default:
		q.UserIdentityToken = uabinary.Encoded(id.AnonymousIdentityToken_Encoding_DefaultBinary, &uabinary.AnonymousIdentityToken{
			PolicyID: token.PolicyID})
	}
	return nil
}

// encryptPassword encrypts a password for the server (OPC 10000-4, 7.40.2.2), unless the channel alone protects it.
func encryptPassword(security *channel.Security, policy, password string, nonce []byte) (encrypted []byte, algorithm string, err error) {
	if policy == ua.SecurityPolicyURINone {
		return []byte(password), "", nil
	}
	a, err := security.Asymmetric(policy, security.Key)
	if err != nil {
		return nil, "", err
	}
	secret := binary.LittleEndian.AppendUint32(nil, uint32(len(password)+len(nonce)))
	secret = append(append(secret, password...), nonce...)
	encrypted, err = a.Encrypt(secret)
	return encrypted, a.EncryptionURI(), err
}

// learn reads what has to be known of the server before anything else: its namespaces, when it started, and how much it takes in a
// request.
func (c *Connection) learn(ctx context.Context) error {
	values, err := c.readAttributes(ctx, []uabinary.ReadValueID{
		valueOf(uabinary.Numeric(id.Server_NamespaceArray)),
		valueOf(uabinary.Numeric(id.Server_ServerStatus_StartTime)),
		valueOf(uabinary.Numeric(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)),
		valueOf(uabinary.Numeric(id.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse)),
		valueOf(uabinary.Numeric(id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)),
	})
	if err != nil {
		return fmt.Errorf("reading the namespaces: %w", err)
	}
	namespaces, ok := values[0].Value.Value.([]string)
	if !ok {
		return errors.New("reading the namespaces: the server tells none")
	}
	if err := checkNamespaces(namespaces); err != nil {
		return fmt.Errorf("reading the namespaces: %w", err)
	}
	c.space = newSpace(namespaces)
	c.started, _ = values[1].Value.Value.(time.Time)
	for i, limit := range []*int{&c.limits.read, &c.limits.browse, &c.limits.monitor} {
		*limit = mostInRequest
		if told, _ := values[2+i].Value.Value.(uint32); told > 0 {
			*limit = min(int(told), mostInRequest)
		}
	}
	return nil
}

// checkNamespaces checks that each namespace can have an index, and is no longer than a URI.
func checkNamespaces(all []string) error {
	const most = 1 << 16
	if len(all) > most {
		return fmt.Errorf("the server tells %d of them, more than %d", len(all), most)
	}
	for i, uri := range all {
		if len(uri) > mostURI {
			return fmt.Errorf("that with the index %d has %d bytes, more than %d", i, len(uri), mostURI)
		}
	}
	return nil
}
