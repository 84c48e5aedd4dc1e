package transport

import "crypto/tls"

// tlsConfig asks clients for a certificate if it is told to, and verifies nothing but that they have its key: which
// authority may vouch for a device is the business of the authenticator. A client that resumes a session has shown its
// certificate before, and whoever admits it judges that certificate again.
func tlsConfig(c Config, pair *keyPair) *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: pair.get,
	}
	if c.ClientCertificates {
		config.ClientAuth = tls.RequestClientCert
	}
	return config
}
