package dtls

import (
	"strings"
	"time"

	"github.com/pion/logging"

	"github.com/fairlead/fairlead/internal/psk"
)

// A client that has another pre-shared key than the one that its identity has is found out by its Finished, which the key does
// not open. Such a record is to be dropped without a word (RFC 6347 section 4.1.2.7), as anybody may have sent it who writes the
// client's address. So one of them ends nothing. A client of that kind repeats it, since it gets no answer, and one that has the
// key gets in with what it sends in between.

// repeatedAfter is the time between two records that the key does not open, from which the second one is the client's repetition:
// clients repeat what is not answered after a second or later, and what somebody else sends at one moment counts once.
const repeatedAfter = 500 * time.Millisecond

// undeciphered is in what pion logs of a record that the key does not open. Pion has no other word for it.
const undeciphered = "decrypt failed"

// A handshakeLog is pion's log of one handshake. Nobody reads it, but for one line.
type handshakeLog struct {
	quiet
	link *link
}

// NewLogger is pion's.
func (h handshakeLog) NewLogger(string) logging.LeveledLogger { return h }

// Debugf hears of records that the key does not open.
func (h handshakeLog) Debugf(format string, _ ...any) {
	if strings.Contains(format, undeciphered) {
		h.link.undeciphered()
	}
}

// undeciphered notes that the client's key does not open a record, and ends the handshake at the second one.
func (k *link) undeciphered() {
	if k.at() != handshaking || !k.keyed.Load() {
		return
	}
	now := time.Now().UnixNano()
	if k.doubted.CompareAndSwap(0, now) || time.Duration(now-k.doubted.Load()) < repeatedAfter {
		return
	}
	k.disproved.Store(true)
	k.cancel()
}

// disprove tells a client that it has another key, as RFC 4279 section 2 says it, whether its identity has a key or not. The client
// reads it in the clear, as we have not changed to the key yet.
func (k *link) disprove() error {
	const (
		typeAlert    = 21
		fatal        = 2
		decryptError = 51
	)
	// The sequence number is beyond those of the handshake, which has no room for so many records.
	record := []byte{typeAlert, 0xfe, 0xfd, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, fatal, decryptError}
	_ = k.listener.socket.Write(record, k.remote()) // the client notices without it, later
	return psk.ErrOtherKey
}
