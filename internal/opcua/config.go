package opcua

import (
	"time"
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

// An Identity is who the client's user is. The zero value is anonymous.
type Identity struct {
	// User and Password log in by name. The password is never sent in the clear, whatever the policy of the connection.
	User, Password string
	// CertificateFile and KeyFile log in by a certificate, both PEM.
	CertificateFile, KeyFile string
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

	Timeout        time.Duration // of connecting, and of a request; 0 is 10 s
	SessionTimeout time.Duration // how long the server keeps a session without a connection; 0 is 5 min
	Outage         time.Duration // how long the server keeps a subscription that nobody asks for messages; 0 is 1 h
	KeepAlive      time.Duration // how often a silent server is asked whether it is there; 0 is 5 s
	FirstPause     time.Duration // before connecting again, growing to LongestPause; 0 is 500 ms
	LongestPause   time.Duration // 0 is 30 s

	Window     int // messages that may be unsettled; 0 is 64
	MaxMessage int // bytes of an answer of the server; 0 is 16 MiB
	MaxItems   int // that may be monitored; 0 is 100,000
}
