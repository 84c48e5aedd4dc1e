//go:build psk

#include "openssl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

// The longest identity and key, in bytes. OpenSSL takes no longer key; with TLS 1.2 it takes identities of up to 256 bytes only.
enum { FL_IDENTITY = 512, FL_KEY = 512 };

typedef struct {
	size_t identity_length, key_length;
	unsigned char identity[FL_IDENTITY + 1]; // ends with a NUL
	unsigned char key[FL_KEY];
} fl_secret;

struct fl_session {
	SSL *ssl;
	const unsigned char *in; // of the call that is under way, as the next three
	size_t in_left;
	unsigned char *out;
	size_t out_left;
	fl_secret *secret; // until the end of the handshake
	int given;         // the key has been handed to OpenSSL
};

static int bio_read(BIO *bio, char *to, int length) {
	fl_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (s->in_left == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t n = (size_t)length < s->in_left ? (size_t)length : s->in_left;
	memcpy(to, s->in, n);
	s->in += n;
	s->in_left -= n;
	return (int)n;
}

static int bio_write(BIO *bio, const char *from, int length) {
	fl_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (s->out_left == 0) {
		BIO_set_retry_write(bio);
		return -1;
	}
	size_t n = (size_t)length < s->out_left ? (size_t)length : s->out_left;
	memcpy(s->out, from, n);
	s->out += n;
	s->out_left -= n;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *bio_method;
static int protocols_index = -1; // of the buffer with the protocols in a context

static void free_protocols(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
	(void)parent, (void)data, (void)index, (void)number, (void)argument;
	free(pointer);
}

static void prepare(void) {
	protocols_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_protocols);
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fairlead");
	if (method != NULL && BIO_meth_set_read(method, bio_read) && BIO_meth_set_write(method, bio_write) && BIO_meth_set_ctrl(method, bio_ctrl)) {
		bio_method = method;
	}
}

// find_session finds the key of TLS 1.3. Not to find one is no error: the client may offer several.
static int find_session(SSL *ssl, const unsigned char *identity, size_t length, SSL_SESSION **found) {
	static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01}; // stands for its hash, that of every external key
	fl_session *s = SSL_get_app_data(ssl);
	fl_secret *secret = s->secret;
	*found = NULL;
	if (secret == NULL || length != secret->identity_length || memcmp(identity, secret->identity, length) != 0) {
		return 1;
	}
	SSL_SESSION *session = SSL_SESSION_new();
	if (session == NULL || !SSL_SESSION_set1_master_key(session, secret->key, secret->key_length) ||
		!SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, aes_128_gcm_sha256)) || !SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)) {
		SSL_SESSION_free(session);
		return 0;
	}
	s->given = 1;
	*found = session;
	return 1;
}

// find_key finds the key of TLS 1.2. OpenSSL also calls it for TLS 1.3, when find_session has found none.
static unsigned int find_key(SSL *ssl, const char *identity, unsigned char *key, unsigned int most) {
	fl_session *s = SSL_get_app_data(ssl);
	fl_secret *secret = s->secret;
	if (SSL_version(ssl) != TLS1_2_VERSION || secret == NULL || secret->key_length > most || strcmp(identity, (const char *)secret->identity) != 0) {
		return 0;
	}
	memcpy(key, secret->key, secret->key_length);
	s->given = 1;
	return (unsigned int)secret->key_length;
}

// The protocols of a context, in the form of ALPN.
typedef struct {
	size_t length;
	unsigned char bytes[];
} fl_protocols;

// choose_protocol is that of ALPN.
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered, unsigned int offered_length, void *argument) {
	(void)ssl;
	const fl_protocols *ours = argument;
	int result = SSL_select_next_proto((unsigned char **)chosen, length, ours->bytes, (unsigned int)ours->length, offered, offered_length);
	return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// set_protocols keeps a copy of them with the context.
static int set_protocols(SSL_CTX *context, const unsigned char *protocols, size_t length) {
	if (length == 0) {
		return 1;
	}
	fl_protocols *kept = malloc(sizeof *kept + length);
	if (kept == NULL) {
		return 0;
	}
	kept->length = length;
	memcpy(kept->bytes, protocols, length);
	if (!SSL_CTX_set_ex_data(context, protocols_index, kept)) {
		free(kept);
		return 0;
	}
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, kept);
	return 1;
}

// configure sets what clients can choose from: AEAD only, with forward secrecy first.
static int configure(SSL_CTX *context) {
	static const unsigned char id[] = "fairlead"; // without one TLS 1.3 takes no key
	SSL_CTX_set_security_level(context, 0);       // what is allowed is what stands here, whatever the system's configuration says
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_ALLOW_NO_DHE_KEX);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_psk_find_session_callback(context, find_session);
	SSL_CTX_set_psk_server_callback(context, find_key);
	return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) && SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
		SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_session_id_context(context, id, sizeof id - 1) &&
		SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256") &&
		SSL_CTX_set_cipher_list(context, "ECDHE-PSK-CHACHA20-POLY1305:PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:PSK-CHACHA20-POLY1305:"
										 "PSK-AES128-CCM:PSK-AES256-CCM:PSK-AES128-CCM8:PSK-AES256-CCM8") &&
		SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
}

SSL_CTX *fl_context_new(const unsigned char *protocols, size_t length, unsigned long *error) {
	ERR_clear_error();
	SSL_CTX *context = NULL;
	if (CRYPTO_THREAD_run_once(&once, prepare) && bio_method != NULL && protocols_index >= 0) {
		context = SSL_CTX_new(TLS_server_method());
	}
	if (context != NULL && configure(context) && set_protocols(context, protocols, length)) {
		return context;
	}
	*error = ERR_peek_error();
	ERR_clear_error();
	SSL_CTX_free(context);
	return NULL;
}

fl_session *fl_new(SSL_CTX *context, int only12) {
	fl_session *s = calloc(1, sizeof *s);
	if (s == NULL) {
		return NULL;
	}
	s->ssl = SSL_new(context);
	BIO *bio = BIO_new(bio_method);
	if (s->ssl == NULL || bio == NULL || !SSL_set_app_data(s->ssl, s) || (only12 && !SSL_set_max_proto_version(s->ssl, TLS1_2_VERSION))) {
		BIO_free(bio);
		fl_free(s);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_accept_state(s->ssl);
	return s;
}

static void forget(fl_session *s) {
	OPENSSL_clear_free(s->secret, sizeof *s->secret);
	s->secret = NULL;
}

void fl_free(fl_session *s) {
	SSL_free(s->ssl);
	forget(s);
	free(s);
}

int fl_set_key(fl_session *s, const unsigned char *identity, size_t identity_length, const unsigned char *key, size_t key_length) {
	if (s->secret != NULL || identity_length > FL_IDENTITY || key_length > FL_KEY || key_length == 0) {
		return 0;
	}
	s->secret = OPENSSL_zalloc(sizeof *s->secret);
	if (s->secret == NULL) {
		return 0;
	}
	s->secret->identity_length = identity_length;
	s->secret->key_length = key_length;
	if (identity_length > 0) {
		memcpy(s->secret->identity, identity, identity_length);
	}
	memcpy(s->secret->key, key, key_length);
	return 1;
}

// begin makes ready for a call. The queue of errors belongs to the thread, and may hold what another session has left.
static void begin(fl_session *s, const unsigned char *in, size_t in_length, unsigned char *out, size_t out_length) {
	ERR_clear_error();
	s->in = in;
	s->in_left = in_length;
	s->out = out;
	s->out_left = out_length;
}

// end tells what a call has come to.
static fl_step end(fl_session *s, size_t in_length, size_t out_length, int result) {
	fl_step step = {.consumed = in_length - s->in_left, .produced = out_length - s->out_left};
	switch (SSL_get_error(s->ssl, result)) {
	case SSL_ERROR_NONE:
		step.want = FL_NOTHING;
		break;
	case SSL_ERROR_WANT_READ:
		step.want = FL_INPUT;
		break;
	case SSL_ERROR_WANT_WRITE:
		step.want = FL_ROOM;
		break;
	case SSL_ERROR_ZERO_RETURN:
		step.want = FL_END;
		break;
	default:
		step.want = FL_FAILED;
		step.error = ERR_peek_error();
	}
	begin(s, NULL, 0, NULL, 0);
	return step;
}

fl_step fl_handshake(fl_session *s, const unsigned char *in, size_t in_length, unsigned char *out, size_t out_length) {
	begin(s, in, in_length, out, out_length);
	int result = SSL_do_handshake(s->ssl);
	fl_step step = end(s, in_length, out_length, result);
	if (step.want == FL_NOTHING) {
		forget(s);
	}
	return step;
}

fl_step fl_read(fl_session *s, const unsigned char *in, size_t in_length, unsigned char *out, size_t out_length, unsigned char *plain, size_t plain_length) {
	size_t done = 0;
	begin(s, in, in_length, out, out_length);
	int result = SSL_read_ex(s->ssl, plain, plain_length, &done);
	fl_step step = end(s, in_length, out_length, result);
	step.done = done;
	return step;
}

fl_step fl_write(fl_session *s, const unsigned char *plain, size_t plain_length, unsigned char *out, size_t out_length) {
	size_t done = 0;
	begin(s, NULL, 0, out, out_length);
	int result = SSL_write_ex(s->ssl, plain, plain_length, &done);
	fl_step step = end(s, 0, out_length, result);
	step.done = done;
	return step;
}

fl_step fl_shutdown(fl_session *s, unsigned char *out, size_t out_length) {
	begin(s, NULL, 0, out, out_length);
	int result = SSL_shutdown(s->ssl);
	return end(s, 0, out_length, result);
}

fl_state fl_state_of(const fl_session *s) {
	const SSL_CIPHER *cipher = SSL_get_current_cipher(s->ssl);
	fl_state state = {.version = SSL_version(s->ssl), .suite = cipher == NULL ? 0 : SSL_CIPHER_get_protocol_id(cipher)};
	int rests = state.version == TLS1_3_VERSION ? SSL_session_reused(s->ssl) : cipher != NULL && SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk;
	state.proven = s->given && rests && SSL_is_init_finished(s->ssl);
	SSL_get0_alpn_selected(s->ssl, &state.protocol, &state.protocol_length);
	return state;
}
