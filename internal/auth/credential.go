package auth

// A Credential is what a device presents, or what stands for it. It is one of Password, UserPassword, CertificateChain,
// Proof and Vouched; each keeps its content out of text output.
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

// Vouched says that the device has been admitted by who asks, however it was. It is for the authentication function, which
// takes a gateway's word for that; it holds for any enabled device.
type Vouched struct{}

func (Password) credential()         {}
func (UserPassword) credential()     {}
func (CertificateChain) credential() {}
func (Vouched) credential()          {}

// String keeps the content out of logs, as do the other String and GoString methods below.
func (Password) String() string         { return "password" }
func (UserPassword) String() string     { return "user name and password" }
func (CertificateChain) String() string { return "certificate chain" }
func (Vouched) String() string          { return "word of the caller" }

func (c Password) GoString() string         { return c.String() }
func (c UserPassword) GoString() string     { return c.String() }
func (c CertificateChain) GoString() string { return c.String() }
func (c Vouched) GoString() string          { return c.String() }
