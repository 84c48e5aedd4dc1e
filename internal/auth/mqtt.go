package auth

import (
	"strings"
	"unicode/utf8"
)

// Limits of what a CONNECT packet presents, in bytes.
const (
	maxUser     = MaxAuthorization // user name or client identifier
	maxPassword = MaxAuthorization
)

// An MQTTLogin is what a client presents when it connects by MQTT: the fields of its CONNECT packet (MQTT 5.0 section
// 3.1.3), and what the handshake of TLS has proven: the chain of its certificate in DER, leaf first, or the identity of a
// pre-shared key, with what names that key.
type MQTTLogin struct {
	ClientID    string
	HasUsername bool
	Username    string
	HasPassword bool
	Password    []byte
	Chain       [][]byte
	Identity    string
	Proof       Proof
}

// FromMQTT makes a request of a log-in by MQTT:
//
//	user name  password  client id  certificate  request
//	D@A        yes       anything                device D of application A, password
//	U          yes       D@A                     device D of application A, user name U and password
//	                     anything   chain        as FromCertificates has it
//	@A                   anything   chain        as FromCertificates has it, of application A
//	                     anything   identity     as FromIdentity has it
//
// User name and client id are split at the first "@"; what is left of it is percent-decoded, the application is taken
// literally. Everything else is outcome.Unauthenticated, as are a password that is not UTF-8, a certificate beside any
// other user name, and a pre-shared key beside a user name or a password. The request shares no memory with the log-in but the chain.
func FromMQTT(l MQTTLogin) (Request, error) {
	if l.Identity != "" {
		if l.HasUsername || l.HasPassword {
			return Request{}, refused()
		}
		return FromIdentity(l.Identity, l.Proof)
	}
	if !l.HasUsername && !l.HasPassword {
		return FromCertificates(l.Chain)
	}
	if len(l.Chain) > 0 && !l.HasPassword {
		return fromNamedCertificates(l)
	}
	if !l.HasUsername || !l.HasPassword || len(l.Chain) > 0 || !l.bounded() || !utf8.Valid(l.Password) {
		return Request{}, refused()
	}
	user, application, scoped := splitUser(strings.Clone(l.Username))
	if scoped {
		return mqttRequest(application, user, Password(l.Password))
	}
	device, application, scoped := splitUser(strings.Clone(l.ClientID))
	if !scoped || !utf8.ValidString(user) {
		return Request{}, refused()
	}
	return mqttRequest(application, device, UserPassword{user, string(l.Password)})
}

// fromNamedCertificates is FromCertificates for a client that names its application, as it must where another application
// has the same trust anchor.
func fromNamedCertificates(l MQTTLogin) (Request, error) {
	application, named := strings.CutPrefix(l.Username, "@")
	if !named || !l.bounded() {
		return Request{}, refused()
	}
	return FromCertificatesOf(strings.Clone(application), l.Chain)
}

func (l *MQTTLogin) bounded() bool {
	return len(l.Username) <= maxUser && len(l.ClientID) <= maxUser && len(l.Password) <= maxPassword
}

func mqttRequest(application, device string, c Credential) (Request, error) {
	if !utf8.ValidString(application) || !utf8.ValidString(device) {
		return Request{}, refused()
	}
	return Request{Application: application, Device: device, Credential: c}, nil
}
