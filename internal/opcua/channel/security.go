package channel

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// A Mode is a message security mode, by its number.
type Mode uint32

// The modes.
const (
	ModeNone           Mode = 1
	ModeSign           Mode = 2
	ModeSignAndEncrypt Mode = 3
)

// Security says how a channel is secured.
type Security struct {
	PolicyURI   string
	Mode        Mode
	Certificate []byte          // of the client, DER
	Key         *rsa.PrivateKey // of the client
	Server      []byte          // certificate of the server, DER, trusted by whoever made this
}

// NoSecurity is that of a channel for discovery.
func NoSecurity() Security { return Security{PolicyURI: ua.SecurityPolicyURINone, Mode: ModeNone} }

// None tells whether nothing is signed.
func (s *Security) None() bool { return s.Mode == ModeNone }

// errSecurity is the error of what is not signed or encrypted as it has to be. It does not say more, so that nobody learns from it.
var errSecurity = errors.New("a message of the server fails the security checks")

// Asymmetric are the algorithms of a policy between the client and the server; key is the client's or that of its user.
func (s *Security) Asymmetric(policy string, key *rsa.PrivateKey) (*uapolicy.EncryptionAlgorithm, error) {
	if policy == ua.SecurityPolicyURINone {
		return uapolicy.Asymmetric(policy, nil, nil)
	}
	certificate, err := x509.ParseCertificate(s.Server)
	if err != nil {
		return nil, fmt.Errorf("reading the server's certificate: %w", err)
	}
	remote, ok := certificate.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the server's certificate has no RSA key")
	}
	return uapolicy.Asymmetric(policy, key, remote)
}

// A sealer signs and encrypts chunks, and undoes it.
type sealer struct {
	algorithm     *uapolicy.EncryptionAlgorithm
	sign, encrypt bool
}

// content is how many bytes of sequence header and content fit into a chunk that has at most size bytes, of which its header has some.
func (s *sealer) content(size, header int) int {
	room := size - header
	if s.encrypt {
		room = room / s.algorithm.BlockSize() * s.algorithm.PlaintextBlockSize()
		room -= s.paddingBytes()
	}
	if s.sign {
		room -= s.algorithm.SignatureLength()
	}
	return room
}

// paddingBytes is how many bytes tell the length of the padding: two if a key is longer than 2048 bits.
func (s *sealer) paddingBytes() int {
	if s.algorithm.BlockSize() > 256 {
		return 2
	}
	return 1
}

// seal signs and encrypts a chunk whose first header bytes stay in the clear, and sets its length.
func (s *sealer) seal(chunk []byte, header int) ([]byte, error) {
	if s.encrypt {
		chunk = s.pad(chunk, header)
	}
	length := len(chunk)
	if s.sign {
		length += s.algorithm.SignatureLength()
	}
	if s.encrypt {
		length = header + (length-header)/s.algorithm.PlaintextBlockSize()*s.algorithm.BlockSize()
	}
	binary.LittleEndian.PutUint32(chunk[4:], uint32(length))
	if s.sign {
		signature, err := s.algorithm.Signature(chunk)
		if err != nil {
			return nil, fmt.Errorf("signing: %w", err)
		}
		chunk = append(chunk, signature...)
	}
	if s.encrypt {
		encrypted, err := s.algorithm.Encrypt(chunk[header:])
		if err != nil {
			return nil, fmt.Errorf("encrypting: %w", err)
		}
		chunk = append(chunk[:header], encrypted...)
	}
	return chunk, nil
}

func (s *sealer) pad(chunk []byte, header int) []byte {
	block, extra := s.algorithm.PlaintextBlockSize(), s.paddingBytes()
	used := len(chunk) - header + extra + s.algorithm.SignatureLength()
	padding := (block - used%block) % block
	for range padding + 1 {
		chunk = append(chunk, byte(padding))
	}
	if extra == 2 {
		chunk = append(chunk, byte(padding>>8))
	}
	return chunk
}

// open decrypts and verifies a chunk, and returns what follows its header.
func (s *sealer) open(chunk []byte, header int) ([]byte, error) {
	if header > len(chunk) {
		return nil, errSecurity
	}
	if s.encrypt {
		plain, err := s.algorithm.Decrypt(chunk[header:])
		if err != nil {
			return nil, errSecurity
		}
		chunk = append(bytes.Clone(chunk[:header]), plain...)
	}
	if s.sign {
		end := len(chunk) - s.algorithm.RemoteSignatureLength()
		if end < header || s.algorithm.VerifySignature(chunk[:end], chunk[end:]) != nil {
			return nil, errSecurity
		}
		chunk = chunk[:end]
	}
	content := chunk[header:]
	if s.encrypt {
		return s.unpad(content)
	}
	return content, nil
}

// unpad removes the padding. What was encrypted for the client has two bytes for its length if the client's key is long.
func (s *sealer) unpad(content []byte) ([]byte, error) {
	extra, padding := 1, 0
	if s.algorithm.SignatureLength() > 256 {
		extra = 2
	}
	if len(content) < extra {
		return nil, errSecurity
	}
	if extra == 2 {
		padding = int(content[len(content)-1])<<8 | int(content[len(content)-2])
	} else {
		padding = int(content[len(content)-1])
	}
	if padding+extra > len(content) {
		return nil, errSecurity
	}
	return content[:len(content)-padding-extra], nil
}

// thumbprint names a certificate in the header of an OpenSecureChannel message. That it is SHA-1 is the standard's choice.
func thumbprint(certificate []byte) []byte {
	sum := sha1.Sum(certificate)
	return sum[:]
}
