package auth

// A Credential is what a device presents. It is one of Password, UserPassword, CertificateChain and ProvenKey; each
// keeps its content out of text output.
type Credential interface {
	credential()
	String() string
	GoString() string
}

// A Password alone, for the device that the request names.
type Password string

// A UserPassword is a user name with its password.
type UserPassword struct{ Username, Password string }

// A CertificateChain is a TLS client's chain in DER, leaf first, whose possession the handshake has proven.
type CertificateChain [][]byte

// ProvenKey says that a handshake has already proven the device's pre-shared key.
type ProvenKey struct{}

func (Password) credential()         {}
func (UserPassword) credential()     {}
func (CertificateChain) credential() {}
func (ProvenKey) credential()        {}

// String keeps the content out of logs, as do the other String and GoString methods below.
func (Password) String() string         { return "password" }
func (UserPassword) String() string     { return "user name and password" }
func (CertificateChain) String() string { return "certificate chain" }
func (ProvenKey) String() string        { return "pre-shared key" }

func (c Password) GoString() string         { return c.String() }
func (c UserPassword) GoString() string     { return c.String() }
func (c CertificateChain) GoString() string { return c.String() }
func (c ProvenKey) GoString() string        { return c.String() }
