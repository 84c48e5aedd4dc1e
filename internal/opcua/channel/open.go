package channel

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/uapolicy"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// keys are what secures the chunks of one token.
type keys struct {
	token uint32
	out   sealer
}

// The token of a server's chunk is the present one or, for a while, the one before.
type tokens struct{ now, before keys }

// open opens the channel, and renews its token from then on.
func (c *Channel) open(ctx context.Context) error {
	lifetime, err := c.issue(ctx, issueToken)
	if err != nil {
		return err
	}
	go c.renew(lifetime)
	return nil
}

const (
	issueToken = 0
	renewToken = 1
)

// renew renews the token when three quarters of its life are over. If that fails the channel ends.
func (c *Channel) renew(lifetime time.Duration) {
	for {
		timer := time.NewTimer(lifetime * 3 / 4)
		select {
		case <-timer.C:
		case <-c.done:
			timer.Stop()
			return
		case <-c.closing:
			timer.Stop()
			return
		}
		var err error
		if lifetime, err = c.issue(context.Background(), renewToken); err != nil {
			c.Fail(fmt.Errorf("renewing the token of the secure channel: %w", err))
			return
		}
	}
}

// issue has the server issue a token, and tells how long it lives.
func (c *Channel) issue(ctx context.Context, kind uint32) (time.Duration, error) {
	security := &c.config.Security
	algorithm, err := security.Asymmetric(security.PolicyURI, security.Key)
	if err != nil {
		return 0, err
	}
	nonce := make([]byte, algorithm.NonceLength())
	if _, err := rand.Read(nonce); err != nil {
		return 0, err
	}
	q := &uabinary.OpenSecureChannelRequest{RequestType: kind, SecurityMode: uint32(security.Mode), ClientNonce: nonce,
		RequestedLifetime: uint32(c.config.Lifetime.Milliseconds())}
	result := make(chan error, 1)
	var lifetime time.Duration
	request := c.nextRequest()
	q.RequestHandle, q.Timestamp, q.TimeoutHint = request, time.Now(), uint32(c.config.Timeout.Milliseconds())
	c.mu.Lock()
	c.pending[request] = func(p uabinary.Response, err error) {
		if err == nil {
			lifetime, err = c.adopt(p, nonce)
		}
		result <- err
	}
	c.mu.Unlock()
	c.opening.Store(true)
	if err := c.sendOpen(q, request, sealer{algorithm: algorithm, sign: !security.None(), encrypt: !security.None()}); err != nil {
		c.forget(request)
		return 0, err
	}
	timer := time.NewTimer(c.config.Timeout)
	defer timer.Stop()
	select {
	case err := <-result:
		return lifetime, err
	case <-c.done:
		return 0, c.Err()
	case <-timer.C:
		return 0, ErrTimeout
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// sendOpen sends an OpenSecureChannel request, which always is one chunk.
func (c *Channel) sendOpen(q *uabinary.OpenSecureChannelRequest, request uint32, seal sealer) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	channel := c.id
	c.mu.Unlock()
	header := &uabinary.Writer{}
	header.Uint32(channel)
	header.String(c.config.Security.PolicyURI)
	if c.config.Security.None() {
		header.ByteString(nil)
		header.ByteString(nil)
	} else {
		header.ByteString(c.config.Security.Certificate)
		header.ByteString(thumbprint(c.config.Security.Server))
	}
	chunk := c.chunk("OPN", true, request, func(w *uabinary.Writer) { w.Raw(header.Bytes()) }, uabinary.EncodeRequest(q))
	sealed, err := seal.seal(chunk, frameHeader+len(header.Bytes()))
	if err != nil {
		return err
	}
	return c.write(sealed)
}

// adopt takes the keys that follow from a response, and tells how long they live. The goroutine that reads calls it.
func (c *Channel) adopt(p uabinary.Response, nonce []byte) (time.Duration, error) {
	opened, ok := p.(*uabinary.OpenSecureChannelResponse)
	if !ok {
		return 0, fmt.Errorf("the server answers with %T", p)
	}
	security := &c.config.Security
	if !security.None() && len(opened.ServerNonce) != len(nonce) {
		return 0, fmt.Errorf("the server's nonce has %d bytes, not %d", len(opened.ServerNonce), len(nonce))
	}
	algorithm, err := uapolicy.Symmetric(security.PolicyURI, nonce, opened.ServerNonce)
	if err != nil {
		return 0, err
	}
	fresh := keys{token: opened.TokenID, out: sealer{algorithm: algorithm, sign: !security.None(), encrypt: security.Mode == ModeSignAndEncrypt}}
	c.inbound.tokens = tokens{now: fresh, before: c.inbound.tokens.now}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id != 0 && c.id != opened.ChannelID {
		return 0, fmt.Errorf("the server renewed channel %d as %d", c.id, opened.ChannelID)
	}
	c.id, c.keys = opened.ChannelID, fresh
	const least = 1000 // ms, or a hostile server could keep the client busy with renewing
	lifetime := time.Duration(max(opened.RevisedLifetime, least)) * time.Millisecond
	return min(lifetime, c.config.Lifetime), nil
}

// unseal verifies and decrypts a chunk, and returns what follows its header.
func (c *Channel) unseal(frame []byte) ([]byte, error) {
	if len(frame) < frameHeader+8 {
		return nil, fmt.Errorf("a chunk %q of %d bytes", frame[:4], len(frame))
	}
	switch kind := string(frame[:3]); kind {
	case "OPN":
		return c.unsealOpen(frame)
	case "MSG":
		token := binary.LittleEndian.Uint32(frame[frameHeader+4:])
		for _, k := range []*keys{&c.inbound.tokens.now, &c.inbound.tokens.before} {
			if k.out.algorithm != nil && k.token == token {
				return k.out.open(frame, frameHeader+8)
			}
		}
		return nil, fmt.Errorf("a chunk with the unknown token %d", token)
	default:
		return nil, fmt.Errorf("a chunk of the unknown type %q", kind)
	}
}

// mostOpen is how many bytes of an OpenSecureChannel response are decrypted. Each block of them takes as long as thousands of other
// bytes.
const mostOpen = 8192

// unsealOpen is unseal for the response to an OpenSecureChannel request. It must come from the server whose certificate is trusted.
func (c *Channel) unsealOpen(frame []byte) ([]byte, error) {
	if !c.opening.CompareAndSwap(true, false) {
		return nil, errors.New("an OpenSecureChannel response that was not asked for")
	}
	r := uabinary.NewReader(frame[frameHeader:], 2*chunkSize)
	r.Uint32() // channel
	policy, sender := r.String(), r.Bytes()
	r.Bytes() // thumbprint
	if r.Err() != nil {
		return nil, fmt.Errorf("reading the header of an OpenSecureChannel response: %w", r.Err())
	}
	security := &c.config.Security
	header := len(frame) - len(r.Rest())
	switch {
	case policy != security.PolicyURI:
		return nil, fmt.Errorf("the server answers with the security policy %.100q", policy)
	case security.None():
		return frame[header:], nil
	case !bytes.HasPrefix(sender, security.Server): // a chain may follow
		return nil, errSecurity
	case len(frame)-header > mostOpen:
		return nil, fmt.Errorf("an OpenSecureChannel response of %d bytes, more than %d", len(frame)-header, mostOpen)
	}
	algorithm, err := security.Asymmetric(policy, security.Key)
	if err != nil {
		return nil, err
	}
	seal := sealer{algorithm: algorithm, sign: true, encrypt: true}
	return seal.open(frame, header)
}
