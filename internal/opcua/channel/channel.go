package channel

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// ErrTimeout is the error of a request that was not answered in time.
var ErrTimeout = errors.New("the server did not answer in time")

// ErrClosed is the error of requests on a channel that was closed from here.
var ErrClosed = errors.New("the channel is closed")

// A Channel is a connection to a server. Its methods may be called from any goroutine.
type Channel struct {
	config Config
	conn   net.Conn
	peer   limits

	writing  sync.Mutex // held while chunks of a request are written
	sequence uint32     // of the last chunk that was written

	mu      sync.Mutex
	id      uint32
	keys    keys // for what is sent
	pending map[uint32]Answer
	request uint32 // id of the last request
	err     error  // why it ended

	done    chan struct{}
	closing chan struct{}
	once    sync.Once
	inbound inbound     // of the goroutine that reads
	opening atomic.Bool // a response to an OpenSecureChannel request is to come
}

// An Answer is given the response to a request, or why there is none. A response whose result is bad comes as an error of the
// type binary.StatusCode. Answers are called one after the other in the order of the responses, and must not block.
type Answer func(uabinary.Response, error)

func start(conn net.Conn, c Config, peer limits) *Channel {
	ch := &Channel{config: c, conn: conn, peer: peer, pending: map[uint32]Answer{}, done: make(chan struct{}), closing: make(chan struct{})}
	ch.inbound.parts = map[uint32][]byte{}
	go ch.read()
	return ch
}

// Done is closed when the channel has ended, and all answers were called.
func (c *Channel) Done() <-chan struct{} { return c.done }

// Err is why the channel ended; nil if it has not.
func (c *Channel) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the channel, and waits until it has ended.
func (c *Channel) Close() {
	c.once.Do(func() {
		close(c.closing)
		c.mu.Lock()
		open := c.id != 0 && c.err == nil
		if c.err == nil {
			c.err = ErrClosed
		}
		c.mu.Unlock()
		if open {
			_ = c.send(&uabinary.CloseSecureChannelRequest{}, c.nextRequest(), "CLO")
		}
		_ = c.conn.Close()
	})
	<-c.done
}

// Fail ends the channel because of an error, without a word to the server, and does not wait.
func (c *Channel) Fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	_ = c.conn.Close()
}

// Do sends a request in a session and waits for its response, for at most the time of the configuration.
func (c *Channel) Do(ctx context.Context, q uabinary.Request, session uabinary.NodeID) (uabinary.Response, error) {
	type result struct {
		response uabinary.Response
		err      error
	}
	answered := make(chan result, 1)
	q.Header().TimeoutHint = uint32(c.config.Timeout.Milliseconds())
	request, err := c.Send(q, session, func(p uabinary.Response, err error) { answered <- result{p, err} })
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(c.config.Timeout)
	defer timer.Stop()
	select {
	case r := <-answered:
		return r.response, r.err
	case <-timer.C:
		c.forget(request)
		return nil, fmt.Errorf("%w (%s)", ErrTimeout, c.config.Timeout)
	case <-ctx.Done():
		c.forget(request)
		return nil, ctx.Err()
	}
}

// Send sends a request in a session. If it returns no error, the answer is called once, at the latest when the channel ends.
func (c *Channel) Send(q uabinary.Request, session uabinary.NodeID, answer Answer) (request uint32, err error) {
	request = c.nextRequest()
	header := q.Header()
	header.AuthenticationToken, header.RequestHandle, header.Timestamp = session, request, time.Now()
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return 0, c.err
	}
	c.pending[request] = answer
	c.mu.Unlock()
	if err := c.send(q, request, "MSG"); err != nil {
		if c.forget(request) == nil {
			return request, nil // answered meanwhile, since the channel has ended
		}
		return 0, err
	}
	return request, nil
}

func (c *Channel) nextRequest() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.request++; c.request == 0 {
		c.request = 1
	}
	return c.request
}

// forget takes the answer of a request; nil if it was taken before.
func (c *Channel) forget(request uint32) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.pending[request]
	delete(c.pending, request)
	return answer
}

// send writes a request as one or more chunks with the present keys.
func (c *Channel) send(q uabinary.Request, request uint32, kind string) error {
	body := uabinary.EncodeRequest(q)
	if c.peer.message != 0 && len(body) > int(c.peer.message) {
		return fmt.Errorf("a request of %d bytes: %w", len(body), uabinary.StatusBadRequestTooLarge)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	channel, keys := c.id, c.keys
	c.mu.Unlock()
	const header = frameHeader + 8 // with the ids of channel and token
	room := keys.out.content(c.peer.chunk, header) - sequenceHeader
	if c.peer.chunks != 0 && (len(body)-1)/room+1 > int(c.peer.chunks) {
		return fmt.Errorf("a request of %d bytes: %w", len(body), uabinary.StatusBadRequestTooLarge)
	}
	var chunks []byte
	for final := false; !final; {
		part := body[:min(room, len(body))]
		body = body[len(part):]
		final = len(body) == 0
		chunk := c.chunk(kind, final, request, func(w *uabinary.Writer) { w.Uint32(channel); w.Uint32(keys.token) }, part)
		sealed, err := keys.out.seal(chunk, header)
		if err != nil {
			return err
		}
		chunks = append(chunks, sealed...)
	}
	return c.write(chunks)
}

// sequenceHeader is the length of sequence number and request id.
const sequenceHeader = 8

// chunk makes a chunk that is not sealed yet. The caller holds writing.
func (c *Channel) chunk(kind string, final bool, request uint32, header func(*uabinary.Writer), part []byte) []byte {
	w := &uabinary.Writer{}
	for i := range 3 {
		w.Byte(kind[i])
	}
	if final {
		w.Byte('F')
	} else {
		w.Byte('C')
	}
	w.Uint32(0) // the size, which seal sets
	header(w)
	c.sequence = nextSequence(c.sequence)
	w.Uint32(c.sequence)
	w.Uint32(request)
	return append(w.Bytes(), part...)
}

// nextSequence is the number of the chunk that follows one. It wraps before its end (OPC 10000-6, 6.7.2.4).
func nextSequence(n uint32) uint32 {
	const last = 1<<32 - 1 - 1024
	if n >= last {
		return 1
	}
	return n + 1
}

// write writes chunks. What fails ends the channel, since nobody knows how much arrived.
func (c *Channel) write(chunks []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.config.Timeout))
	if _, err := c.conn.Write(chunks); err != nil {
		c.Fail(err)
		return err
	}
	return nil
}

// read reads until the connection ends, and then answers everything that is pending.
func (c *Channel) read() {
	c.Fail(c.receive())
	c.mu.Lock()
	err, pending := c.err, c.pending
	c.pending = map[uint32]Answer{}
	c.mu.Unlock()
	for _, answer := range pending {
		answer(nil, err)
	}
	close(c.done)
}

// receive reads chunks and answers requests until something fails. A panic is a mistake in here that a server has found: it ends
// the connection and no more.
func (c *Channel) receive() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading a message of the server: panic: %v\n%s", r, debug.Stack())
		}
	}()
	r := bufio.NewReaderSize(c.conn, chunkSize)
	buffer := make([]byte, chunkSize)
	for {
		frame, err := readFrame(r, buffer)
		if err != nil {
			return err
		}
		if err := c.inboundFrame(frame); err != nil {
			return err
		}
	}
}

// inboundFrame takes a chunk.
func (c *Channel) inboundFrame(frame []byte) error {
	content, err := c.unseal(frame)
	if err != nil {
		return err
	}
	if len(content) < sequenceHeader {
		return errSecurity
	}
	sequence, request := binary.LittleEndian.Uint32(content), binary.LittleEndian.Uint32(content[4:])
	if err := c.inbound.number(sequence); err != nil {
		return err
	}
	content = content[sequenceHeader:]
	switch frame[3] {
	case 'C':
		return c.refuse(request, c.inbound.add(request, content, c.config.MaxMessage))
	case 'A':
		c.inbound.drop(request)
		c.answer(request, nil, readError(content))
		return nil
	case 'F':
		body, err := c.inbound.finish(request, content, c.config.MaxMessage)
		if err != nil {
			return c.refuse(request, err)
		}
		response, err := uabinary.DecodeResponse(body, 4*c.config.MaxMessage)
		c.answer(request, response, err)
		return nil
	default:
		return fmt.Errorf("a chunk of the unknown kind %q", frame[3])
	}
}

// refuse answers a request whose response is too large, before the channel ends because of it. It is told apart from those that end with
// the channel.
func (c *Channel) refuse(request uint32, err error) error {
	if err != nil {
		c.answer(request, nil, fmt.Errorf("%w: %w", uabinary.ErrLimits, err))
	}
	return err
}

// answer calls the answer of a request. A response that nobody waits for is dropped.
func (c *Channel) answer(request uint32, response uabinary.Response, err error) {
	answer := c.forget(request)
	if answer == nil {
		return
	}
	if err == nil {
		if status := response.Header().ServiceResult; status.Bad() {
			err = status
		}
	}
	answer(response, err)
}

// inbound is what is known of the server's chunks.
type inbound struct {
	sequence uint32
	begun    bool
	parts    map[uint32][]byte // chunks of messages that are not whole, by request
	bytes    int               // of all of them
	tokens   tokens
}

// number checks that a chunk follows the last one: nothing was repeated, nothing taken away.
func (i *inbound) number(sequence uint32) error {
	const wrap = 1024
	follows := sequence == i.sequence+1 || (i.sequence >= 1<<32-1-wrap && sequence < wrap)
	if i.begun && !follows {
		return fmt.Errorf("chunk %d of the server follows chunk %d", sequence, i.sequence)
	}
	i.sequence, i.begun = sequence, true
	return nil
}

func errTooLong(most int) error {
	return fmt.Errorf("a message of more than %d bytes", most)
}

// add keeps a chunk that others will follow.
func (i *inbound) add(request uint32, content []byte, most int) error {
	const entry = 64 // bytes that even an empty chunk takes, about
	if i.bytes += len(content) + entry; i.bytes > most {
		return errTooLong(most)
	}
	i.parts[request] = append(i.parts[request], content...)
	return nil
}

func (i *inbound) drop(request uint32) {
	delete(i.parts, request)
	if len(i.parts) == 0 {
		i.bytes = 0
	}
}

// finish is the message that a last chunk ends.
func (i *inbound) finish(request uint32, content []byte, most int) ([]byte, error) {
	head := i.parts[request]
	i.drop(request)
	if len(head)+len(content) > most {
		return nil, errTooLong(most)
	}
	if head == nil {
		return content, nil
	}
	return append(head, content...), nil
}
