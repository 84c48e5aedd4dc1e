package registryfn

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"time"
)

// codeLifetime is for how long a code can be signed: long enough for an authority whose key lies in a safe.
const codeLifetime = 24 * time.Hour

// Parts of a possession code, in bytes. Its text has 40 characters; a common name takes 64.
const (
	codeTime = 5
	codeMAC  = 20
)

var (
	codeText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

	errNotSigned   = errors.New("the certificate is not signed with the key of the trust anchor")
	errOtherCode   = errors.New("the common name of the certificate is no code of this trust anchor of this application")
	errCodeExpired = errors.New("the code has expired; ask for a new one")
)

// possessionCode is what somebody has to sign who says to have the key of a trust anchor. It is good for that key, in the application
// with that UID, until that moment, in seconds. Nothing of it is stored: the secret, which all instances share, tells it from any other.
func possessionCode(secret []byte, application string, anchor *x509.Certificate, expires time.Time) string {
	var moment [8]byte
	binary.BigEndian.PutUint64(moment[:], uint64(expires.Unix()))
	code := moment[8-codeTime:]
	key := sha256.Sum256(anchor.RawSubjectPublicKeyInfo)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("fairlead possession 1\x00"))
	mac.Write(code)
	mac.Write(key[:])
	mac.Write([]byte(application))
	return codeText.EncodeToString(append(code[:codeTime:codeTime], mac.Sum(nil)[:codeMAC]...))
}

// checkPossession checks that a certificate is signed with the key of a trust anchor, and that its common name is a code for that
// key and that application which has not expired. When the certificate is valid does not matter: the code tells how fresh it is.
func checkPossession(secret []byte, application string, anchor, certificate *x509.Certificate, now time.Time) error {
	if certificate.CheckSignatureFrom(anchor) != nil {
		return errNotSigned
	}
	code, err := codeText.DecodeString(certificate.Subject.CommonName)
	if err != nil || len(code) != codeTime+codeMAC {
		return errOtherCode
	}
	moment := append(make([]byte, 8-codeTime), code[:codeTime]...)
	expires := time.Unix(int64(binary.BigEndian.Uint64(moment)), 0)
	if !hmac.Equal([]byte(possessionCode(secret, application, anchor, expires)), []byte(certificate.Subject.CommonName)) {
		return errOtherCode
	}
	if !now.Before(expires) {
		return errCodeExpired
	}
	return nil
}
