package coap

import (
	"errors"
	"time"

	"github.com/plgd-dev/go-coap/v3/message/codes"
)

// Transmission parameters of RFC 7252 section 4.8.
const (
	ackTimeout       = 2 * time.Second
	ackRandomFactor  = 1.5
	maxRetransmit    = 4
	exchangeLifetime = 247 * time.Second
)

const (
	// MaxMessage is the largest message in bytes.
	MaxMessage = 2048

	// lastMethod is the last code of a request (RFC 7252 section 12.1).
	lastMethod = codes.Code(31)

	// maxOptions is the largest number of options of a message.
	maxOptions = 64

	// amplification is how many bytes an unproven address is sent at most for each byte that came from there (RFC 7252 section
	// 11.3).
	amplification = 3

	// transfersPerPeer bounds the block-wise transfers of one client in each direction.
	transfersPerPeer = 2

	// readPause follows an error of a socket, so that one that lasts does not take a processor.
	readPause = 10 * time.Millisecond

	// sweepPause is the time between two looks for what has expired.
	sweepPause = 5 * time.Second
)

// A Config bounds what clients may cost.
type Config struct {
	MaxPeers        int           `doc:"number of plain CoAP clients at once whose requests are remembered; beyond, the one that has been idle for longest is forgotten, those that have not been admitted first"`
	MaxOpen         int           `doc:"number of CoAP requests at once that have no answer yet; beyond, requests are answered as overloaded"`
	MaxOpenPerPeer  int           `doc:"number of CoAP requests of one client at once that have no answer yet; beyond, its requests are answered as overloaded"`
	MaxRemembered   int           `doc:"number of answers to CoAP requests that are kept, for up to 247s, for when the request is sent again; beyond, a client's next answer displaces its oldest"`
	MaxRememberedOf int           `doc:"the same for one client"`
	AckDelay        time.Duration `doc:"time after which a confirmable CoAP request that has no answer yet is acknowledged, to be answered separately; 0s to 2s, after which clients send again"`
	TransferBytes   int           `doc:"bytes of CoAP messages at once that come or go block by block, of one application at most as many as are left for others; beyond, such transfers are answered as overloaded"`
	TransferTimeout time.Duration `doc:"time without a further block after which a CoAP message that comes or goes block by block is given up"`
	MaxObservations int           `doc:"number of observations of commands at once; beyond, the application and the device that have the most give way, or the client is answered without being registered"`
}

// DefaultConfig suits a gateway with 1 GiB, of which DTLS sessions take the larger part.
func DefaultConfig() Config {
	return Config{
		MaxPeers:        10_000,
		MaxOpen:         10_000,
		MaxOpenPerPeer:  64,
		MaxRemembered:   500_000,
		MaxRememberedOf: 4096,
		AckDelay:        500 * time.Millisecond,
		TransferBytes:   32 << 20,
		TransferTimeout: time.Minute,
		MaxObservations: 10_000,
	}
}

// Validate names the first bad field.
func (c *Config) Validate() error {
	switch {
	case c.MaxPeers < 1:
		return errors.New("maxPeers: must be at least 1")
	case c.MaxOpen < 1:
		return errors.New("maxOpen: must be at least 1")
	case c.MaxOpenPerPeer < 1:
		return errors.New("maxOpenPerPeer: must be at least 1")
	case c.MaxRemembered < 1:
		return errors.New("maxRemembered: must be at least 1")
	case c.MaxRememberedOf < 1 || c.MaxRememberedOf > 1<<16:
		return errors.New("maxRememberedOf: must lie between 1 and 65536")
	case c.AckDelay < 0 || c.AckDelay > ackTimeout:
		return errors.New("ackDelay: must lie between 0s and 2s")
	case c.TransferBytes < 1<<20:
		return errors.New("transferBytes: must be at least 1048576")
	case c.TransferTimeout < time.Second || c.TransferTimeout > exchangeLifetime:
		return errors.New("transferTimeout: must lie between 1s and 247s")
	case c.MaxObservations < 0:
		return errors.New("maxObservations: must not be negative")
	}
	return nil
}
