//go:build psk

#ifndef FAIRLEAD_OPENSSL_H
#define FAIRLEAD_OPENSSL_H

#include <openssl/ssl.h>
#include <stddef.h>

// What a call needs to go on; the first four as in step.go.
enum { FL_NOTHING, FL_INPUT, FL_ROOM, FL_END, FL_FAILED };

// What one call has come to.
typedef struct {
	size_t consumed, produced, done;
	int want;
	unsigned long error; // of OpenSSL, if want is FL_FAILED; 0 if it has not said which
} fl_step;

typedef struct fl_session fl_session;

// protocols are in the form of ALPN. NULL with an error.
SSL_CTX *fl_context_new(const unsigned char *protocols, size_t length, unsigned long *error);

fl_session *fl_new(SSL_CTX *context, int only12);
void fl_free(fl_session *s);

// Sets the identity whose key the client has to prove, once. 0 if they are too long.
int fl_set_key(fl_session *s, const unsigned char *identity, size_t identity_length, const unsigned char *key, size_t key_length);

fl_step fl_handshake(fl_session *s, const unsigned char *in, size_t in_length, unsigned char *out, size_t out_length);
fl_step fl_read(fl_session *s, const unsigned char *in, size_t in_length, unsigned char *out, size_t out_length, unsigned char *plain, size_t plain_length);
fl_step fl_write(fl_session *s, const unsigned char *plain, size_t plain_length, unsigned char *out, size_t out_length);
fl_step fl_shutdown(fl_session *s, unsigned char *out, size_t out_length);

// What a handshake has agreed on.
typedef struct {
	int version, suite, proven;
	const unsigned char *protocol; // as long as the session is there
	unsigned int protocol_length;
} fl_state;

fl_state fl_state_of(const fl_session *s);

#endif
