package opcua

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/fairlead/fairlead/internal/opcua/channel"
)

// A Policy is a security policy, by the last part of its URI.
type Policy string

// The policies that a connection may have.
const (
	PolicyNone                Policy = "None"
	PolicyBasic256Sha256      Policy = "Basic256Sha256"
	PolicyAes128Sha256RsaOaep Policy = "Aes128_Sha256_RsaOaep"
	PolicyAes256Sha256RsaPss  Policy = "Aes256_Sha256_RsaPss"
)

// A Mode is a message security mode.
type Mode string

// The modes. ModeNone goes with PolicyNone only, and the other two with every other policy.
const (
	ModeNone           Mode = "None"
	ModeSign           Mode = "Sign"
	ModeSignAndEncrypt Mode = "SignAndEncrypt"
)

// An Identity is who the client's user is. The zero value is anonymous. Its files are read at each connection, so that a new password
// or certificate needs no restart.
type Identity struct {
	// User and the password in PasswordFile log in by name. A line break at the end of the file is no part of the password. It is
	// never sent in the clear: where nothing protects it, connecting fails.
	User, PasswordFile string
	// CertificateFile and KeyFile log in by a certificate, both PEM.
	CertificateFile, KeyFile string
}

// A user is what an Identity proves itself with, as its files are now.
type user struct {
	password string
	pair     *keyPair
}

// load reads the files.
func (i *Identity) load() (u user, err error) {
	if i.PasswordFile != "" {
		text, err := os.ReadFile(i.PasswordFile)
		if err != nil {
			return u, fmt.Errorf("reading the user's password: %w", err)
		}
		u.password = strings.TrimRight(string(text), "\r\n")
	}
	if i.CertificateFile != "" {
		if u.pair, err = loadKeyPair(i.CertificateFile, i.KeyFile); err != nil {
			return u, fmt.Errorf("the user's certificate: %w", err)
		}
	}
	return u, nil
}

// An EndpointConfig says how one server is reached.
type EndpointConfig struct {
	Name string // of the server in logs, metrics and file names: letters, digits, "-" and "_"
	URL  string // opc.tcp://host:port/path

	Policy   Policy // "" is PolicyNone
	Mode     Mode   // "" is ModeNone with PolicyNone, ModeSignAndEncrypt otherwise
	Identity Identity

	// Folder holds the client's own certificate and key (own/), the servers that it trusts (trusted/), those that it refused
	// (rejected/) and the subscriptions of each server (state/). It is made if it is missing.
	Folder string
	// ApplicationURI names this client; the certificate contains it. Empty is urn:HOSTNAME:fairlead:opcua.
	ApplicationURI string

	Timeout       time.Duration // of connecting, and of a request; 0 is 10 s
	TokenLifetime time.Duration // of the keys of a secure channel; 0 is 1 h
	Outage        time.Duration // how long the server keeps a subscription that nobody asks for messages; 0 is 1 h
	// SessionTimeout is how long the server keeps a session without a connection; 0 is Outage. A client that is anonymous and does
	// not sign needs the session to come back to its subscriptions: servers transfer them to nobody then.
	SessionTimeout time.Duration
	KeepAlive      time.Duration // how often a silent server is asked whether it is there; 0 is 5 s
	FirstPause     time.Duration // before connecting again, growing to LongestPause; 0 is 500 ms
	LongestPause   time.Duration // 0 is 30 s

	Window     int // messages that may be unsettled; 0 is 64
	MaxMessage int // bytes of an answer of the server; 0 is 16 MiB
	MaxItems   int // that may be monitored; 0 is 100,000
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// withDefaults is the configuration with its defaults, if it is valid.
func (c EndpointConfig) withDefaults() (EndpointConfig, error) {
	set(&c.Policy, PolicyNone)
	if c.Policy == PolicyNone {
		set(&c.Mode, ModeNone)
	}
	set(&c.Mode, ModeSignAndEncrypt)
	set(&c.Timeout, 10*time.Second)
	set(&c.TokenLifetime, time.Hour)
	set(&c.Outage, time.Hour)
	set(&c.SessionTimeout, c.Outage)
	set(&c.KeepAlive, 5*time.Second)
	set(&c.FirstPause, 500*time.Millisecond)
	set(&c.LongestPause, 30*time.Second)
	set(&c.Window, 64)
	set(&c.MaxMessage, 16<<20)
	set(&c.MaxItems, 100_000)
	if c.ApplicationURI == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		c.ApplicationURI = "urn:" + host + ":fairlead:opcua"
	}
	return c, c.check()
}

// set gives what is zero its default.
func set[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// mostUnsettled is how many bytes the messages take that are not settled, about: as much as the largest one may take.
func (c *EndpointConfig) mostUnsettled() int { return c.decoded() }

// decoded is how many bytes an answer may take when it is decoded.
func (c *EndpointConfig) decoded() int { return 4 * c.MaxMessage }

func (c *EndpointConfig) check() error {
	if !validName.MatchString(c.Name) {
		return fmt.Errorf("name: %q is not 1 to 64 letters, digits, - and _", c.Name)
	}
	if _, err := channel.Address(c.URL); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if _, err := c.policyURI(); err != nil {
		return err
	}
	if (c.Policy == PolicyNone) != (c.Mode == ModeNone) {
		return fmt.Errorf("mode: %s does not go with the policy %s", c.Mode, c.Policy)
	}
	if _, err := c.mode(); err != nil {
		return err
	}
	if c.Folder == "" {
		return errors.New("folder: is missing")
	}
	if c.Identity.User != "" && c.Identity.CertificateFile != "" {
		return errors.New("identity: a user has either a password or a certificate")
	}
	if (c.Identity.User == "") != (c.Identity.PasswordFile == "") {
		return errors.New("identity: a user and the file of the password go together")
	}
	for name, d := range map[string]time.Duration{"timeout": c.Timeout, "token lifetime": c.TokenLifetime,
		"session timeout": c.SessionTimeout, "outage": c.Outage, "keep alive": c.KeepAlive, "first pause": c.FirstPause, "longest pause": c.LongestPause} {
		if d < 0 {
			return fmt.Errorf("%s: %s is negative", name, d)
		}
	}
	for name, n := range map[string]int{"window": c.Window, "max message": c.MaxMessage, "max items": c.MaxItems} {
		if n < 0 {
			return fmt.Errorf("%s: %d is negative", name, n)
		}
	}
	return nil
}

// policyURI is the URI of the policy.
func (c *EndpointConfig) policyURI() (string, error) {
	switch c.Policy {
	case PolicyNone, PolicyBasic256Sha256, PolicyAes128Sha256RsaOaep, PolicyAes256Sha256RsaPss:
		return ua.SecurityPolicyURIPrefix + string(c.Policy), nil
	default:
		return "", fmt.Errorf("policy: %q is none of %s, %s, %s and %s", c.Policy, PolicyNone, PolicyBasic256Sha256, PolicyAes128Sha256RsaOaep,
			PolicyAes256Sha256RsaPss)
	}
}

// mode is the number of the mode.
func (c *EndpointConfig) mode() (channel.Mode, error) {
	switch c.Mode {
	case ModeNone:
		return channel.ModeNone, nil
	case ModeSign:
		return channel.ModeSign, nil
	case ModeSignAndEncrypt:
		return channel.ModeSignAndEncrypt, nil
	default:
		return 0, fmt.Errorf("mode: %q is none of %s, %s and %s", c.Mode, ModeNone, ModeSign, ModeSignAndEncrypt)
	}
}
