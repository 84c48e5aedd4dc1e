//go:build psk

package pskclient

/*
#cgo LDFLAGS: -lssl -lcrypto
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	const unsigned char *identity;
	size_t identity_length;
	const unsigned char *key;
	size_t key_length;
} secret;

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *length, SSL_SESSION **session) {
	static const unsigned char suite[] = {0x13, 0x01};
	secret *s = SSL_get_app_data(ssl);
	*session = SSL_SESSION_new();
	*id = s->identity;
	*length = s->identity_length;
	return SSL_SESSION_set1_master_key(*session, s->key, s->key_length) && SSL_SESSION_set_cipher(*session, SSL_CIPHER_find(ssl, suite)) &&
		SSL_SESSION_set_protocol_version(*session, TLS1_3_VERSION);
}

static unsigned int use_key(SSL *ssl, const char *hint, char *identity, unsigned int most, unsigned char *key, unsigned int most_key) {
	secret *s = SSL_get_app_data(ssl);
	if (SSL_version(ssl) == TLS1_3_VERSION || s->identity_length >= most || s->key_length > most_key) return 0;
	memcpy(identity, s->identity, s->identity_length);
	identity[s->identity_length] = 0;
	memcpy(key, s->key, s->key_length);
	return (unsigned int)s->key_length;
}

static SSL_CTX *new_context(int version, const char *suites, int only_old_keys) {
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_psk_client_callback(context, use_key);
	if (!only_old_keys) SSL_CTX_set_psk_use_session_callback(context, use_session);
	SSL_CTX_set_mode(context, SSL_MODE_AUTO_RETRY);
	if (version) {
		SSL_CTX_set_min_proto_version(context, version);
		SSL_CTX_set_max_proto_version(context, version);
	}
	if (*suites && version == TLS1_3_VERSION) SSL_CTX_set_ciphersuites(context, suites);
	if (version != TLS1_3_VERSION) SSL_CTX_set_cipher_list(context, *suites ? suites : "PSK");
	return context;
}

// Go interrupts its threads with signals. A socket with a timeout returns then, and has to be asked again.

static int handshake(SSL *ssl, unsigned long *error) {
	int result;
	do {
		ERR_clear_error();
		errno = 0;
		result = SSL_connect(ssl);
	} while (result <= 0 && errno == EINTR);
	*error = ERR_peek_error();
	return result;
}

static int receive(SSL *ssl, void *to, int length, int *why) {
	int n;
	do {
		ERR_clear_error();
		errno = 0;
		n = SSL_read(ssl, to, length);
	} while (n <= 0 && errno == EINTR);
	*why = SSL_get_error(ssl, n);
	return n;
}

static int transmit(SSL *ssl, const void *from, int length) {
	int n;
	do {
		ERR_clear_error();
		errno = 0;
		n = SSL_write(ssl, from, length);
	} while (n <= 0 && errno == EINTR);
	return n;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// timeout is how long a client waits for its server, so that a test that fails ends.
const timeout = time.Minute

// An Options says what a client offers.
type Options struct {
	Identity, Key string
	Version       uint16 // tls.VersionTLS12 or tls.VersionTLS13; 0 is both
	Suites        string // as OpenSSL writes them; "" is all with a pre-shared key
	OnlyOldKeys   bool   // has no key for TLS 1.3, though it may speak that
	Protocols     []string
}

// A Dialer makes connections that offer the same.
type Dialer struct {
	options Options
	context *C.SSL_CTX
	secret  *C.secret
}

// NewDialer makes a dialer. Close must be called.
func NewDialer(o Options) *Dialer {
	suites := C.CString(o.Suites)
	defer C.free(unsafe.Pointer(suites))
	var onlyOld C.int
	if o.OnlyOldKeys {
		onlyOld = 1
	}
	secret := (*C.secret)(C.calloc(1, C.sizeof_secret))
	secret.identity, secret.identity_length = (*C.uchar)(C.CBytes([]byte(o.Identity))), C.size_t(len(o.Identity))
	secret.key, secret.key_length = (*C.uchar)(C.CBytes([]byte(o.Key))), C.size_t(len(o.Key))
	return &Dialer{o, C.new_context(C.int(o.Version), suites, onlyOld), secret}
}

// Close lets go of the dialer, when its connections are closed.
func (d *Dialer) Close() {
	C.SSL_CTX_free(d.context)
	C.free(unsafe.Pointer(d.secret.identity))
	C.free(unsafe.Pointer(d.secret.key))
	C.free(unsafe.Pointer(d.secret))
}

// A Conn is a connection. Reading and writing at the same time is not for it.
type Conn struct {
	net.Conn // for addresses
	file     *os.File
	ssl      *C.SSL
	once     sync.Once
}

// Dial connects and makes the handshake.
func (d *Dialer) Dial(address string) (*Conn, error) {
	tcp, err := net.DialTimeout("tcp", address, timeout)
	if err != nil {
		return nil, err
	}
	file, err := tcp.(*net.TCPConn).File() //nolint:forcetypeassert // it is one
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	fd := int(file.Fd()) // blocking from now on
	limit := syscall.NsecToTimeval(int64(timeout))
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit)
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &limit)
	c := &Conn{Conn: tcp, file: file, ssl: C.SSL_new(d.context)}
	C.SSL_set_ex_data(c.ssl, 0, unsafe.Pointer(d.secret))
	C.SSL_set_fd(c.ssl, C.int(fd))
	d.offerProtocols(c.ssl)
	var code C.ulong
	if C.handshake(c.ssl, &code) != 1 {
		err := fmt.Errorf("the handshake fails: %s", C.GoString(C.ERR_reason_error_string(code)))
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// offerProtocols is for ALPN.
func (d *Dialer) offerProtocols(ssl *C.SSL) {
	var list []byte
	for _, p := range d.options.Protocols {
		list = append(append(list, byte(len(p))), p...)
	}
	C.SSL_set_alpn_protos(ssl, (*C.uchar)(unsafe.SliceData(list)), C.uint(len(list)))
}

// Read reads.
func (c *Conn) Read(b []byte) (int, error) {
	var why C.int
	n := C.receive(c.ssl, unsafe.Pointer(unsafe.SliceData(b)), C.int(len(b)), &why)
	switch {
	case n > 0:
		return int(n), nil
	case why == C.SSL_ERROR_ZERO_RETURN:
		return 0, io.EOF
	default:
		return 0, io.ErrUnexpectedEOF
	}
}

// Write writes.
func (c *Conn) Write(b []byte) (int, error) {
	if n := C.transmit(c.ssl, unsafe.Pointer(unsafe.SliceData(b)), C.int(len(b))); n > 0 {
		return int(n), nil
	}
	return 0, errors.New("writing to a TLS connection")
}

// UpdateKey asks the server for a new key of its own, with the next Write.
func (c *Conn) UpdateKey() { C.SSL_key_update(c.ssl, C.SSL_KEY_UPDATE_REQUESTED) }

// Close says goodbye and ends the connection.
func (c *Conn) Close() error {
	c.once.Do(func() {
		C.SSL_shutdown(c.ssl)
		C.SSL_free(c.ssl)
		_ = c.file.Close()
		_ = c.Conn.Close()
	})
	return nil
}
