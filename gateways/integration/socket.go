package integration

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/fairlead/fairlead/internal/feed"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/user"
)

// A closeCode is a status code of WebSocket (RFC 6455 section 7.4.1), with which a session ends.
type closeCode int

// maxBatch is how many bytes a buffer may have that is kept for the next batch.
const maxBatch = 256 << 10

// The codes that are sent, and closeAbnormal for a client that is gone.
const (
	closeGoingAway = closeCode(websocket.StatusGoingAway)       // 1001: the gateway stops
	closeProtocol  = closeCode(websocket.StatusProtocolError)   // 1002: the client sent what cannot be read
	closeAbnormal  = closeCode(websocket.StatusAbnormalClosure) // 1006
	closePolicy    = closeCode(websocket.StatusPolicyViolation) // 1008: the token has expired or is not taken, or the application may not be read any more
	closeTooBig    = closeCode(websocket.StatusMessageTooBig)   // 1009
	closeTryAgain  = closeCode(websocket.StatusTryAgainLater)   // 1013: nobody can tell whether the user is still admitted
)

// String is the code as reports have it.
func (c closeCode) String() string { return fmt.Sprintf("close %d", int(c)) }

// A message is what a client may send over a WebSocket, besides commands: exactly one of its members.
type message struct {
	SpecVersion        string `json:"specversion"` // is there in an event
	RefreshAccessToken *string
	Acknowledge        *int // how many of the oldest events that are not acknowledged
}

// socket serves a consumer over WebSocket. Each event is a text message.
func (w *web) socket(out http.ResponseWriter, r *http.Request, session *feed.Session, wanted request) {
	c := w.consumer(session, wanted, remoteOf(r))
	c.frame = func(e *feed.Event) func([]byte) []byte { return e.AppendJSON }
	subscription, err := c.begin(r.Context())
	if err != nil {
		w.refuse(out, r, 0, err)
		return
	}
	defer c.close(subscription)
	s := &socket{consumer: c, sending: make(chan struct{}, maxCommands)}
	taker := &linkTaker{ResponseWriter: out}
	conn, err := websocket.Accept(taker, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // admit has looked at the origin
		CompressionMode:    websocket.CompressionDisabled,
		OnPongReceived:     func(context.Context, []byte) { s.heard.Store(time.Now().UnixNano()) },
	})
	if err != nil { // which the client has been told
		return
	}
	conn.SetReadLimit(-1) // read bounds messages
	s.conn, s.link = conn, taker.link
	s.serve()
}

// A socket is a consumer over WebSocket.
type socket struct {
	*consumer
	conn  *websocket.Conn
	link  net.Conn // below conn
	batch []byte   // what is written at once

	sending chan struct{} // holds one for each command on its way
	heard   atomic.Int64  // when the client was heard last, in nanoseconds
}

// serve reads and writes until the session ends.
func (s *socket) serve() {
	s.heard.Store(time.Now().UnixNano())
	ctx, stop := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		defer stop()
		s.read(ctx)
	})
	why := s.write(ctx, s.flush, s.ping)
	if why.code == closeAbnormal {
		_ = s.conn.CloseNow()
	} else {
		_ = s.conn.Close(websocket.StatusCode(why.code), why.reason)
	}
	stop()
	reading.Wait()
}

// flush writes messages at once, past the library, which would make a system call for each. That is safe, since the library writes
// each control frame with one call, and nothing else is written in its way.
func (s *socket) flush(messages [][]byte) error {
	s.batch = s.batch[:0]
	for _, m := range messages {
		s.batch = append(appendFrameHeader(s.batch, len(m)), m...)
	}
	if err := s.link.SetWriteDeadline(time.Now().Add(s.web.gateway.config.Web.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.link.Write(s.batch); err != nil {
		return err
	}
	if cap(s.batch) > maxBatch {
		s.batch = nil
	}
	return s.link.SetWriteDeadline(time.Time{})
}

// appendFrameHeader writes the header of a frame that is a whole text message of n bytes (RFC 6455 section 5.2).
func appendFrameHeader(b []byte, n int) []byte {
	const finalText = 0x81
	switch {
	case n < 126:
		return append(b, finalText, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, finalText, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, finalText, 127), uint64(n))
	}
}

// A linkTaker keeps the connection that a WebSocket takes over from its HTTP server.
type linkTaker struct {
	http.ResponseWriter
	link net.Conn
}

// Hijack takes the connection over.
func (t *linkTaker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	link, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	t.link = link
	return link, buffered, err
}

var errSilent = errors.New("the client does not answer pings")

// ping asks the client whether it is there. Its answer is awaited by the goroutine that reads.
func (s *socket) ping() error {
	interval := s.web.gateway.config.Web.PingInterval
	if time.Since(time.Unix(0, s.heard.Load())) > 2*interval+interval/2 {
		return errSilent
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), interval)
		defer cancel()
		_ = s.conn.Ping(ctx) // OnPongReceived hears of the answer
	}()
	return nil
}

// read takes what the client sends.
func (s *socket) read(ctx context.Context) {
	for {
		text, err := s.next(ctx)
		if err != nil {
			return
		}
		s.heard.Store(time.Now().UnixNano())
		if len(text) > s.web.gateway.config.Web.MaxMessage {
			s.leave(closeTooBig, "the message is too large")
			return
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			s.leave(closeProtocol, "the message does not parse")
			return
		}
		if m.SpecVersion != "" {
			s.command(ctx, text)
		} else if !s.handle(ctx, &m) {
			return
		}
	}
}

// next reads a message, of one that is too large the beginning.
func (s *socket) next(ctx context.Context) ([]byte, error) {
	_, message, err := s.conn.Reader(ctx)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(message, int64(s.web.gateway.config.Web.MaxMessage)+1))
}

// handle does what a message asks for, and tells whether the session goes on.
func (s *socket) handle(ctx context.Context, m *message) bool {
	switch {
	case m.RefreshAccessToken != nil && m.Acknowledge == nil:
		return s.refresh(ctx, *m.RefreshAccessToken)
	case m.Acknowledge != nil && m.RefreshAccessToken == nil:
		if s.window == nil || !s.window.acknowledge(*m.Acknowledge) {
			s.leave(closeProtocol, "there are not as many events to acknowledge")
			return false
		}
		return true
	default:
		s.leave(closeProtocol, "the message is none that is known")
		return false
	}
}

// refresh goes on with another token of the same user.
func (s *socket) refresh(ctx context.Context, token string) bool {
	ctx, cancel := context.WithTimeout(ctx, s.web.gateway.config.AuthTimeout)
	defer cancel()
	credential, err := user.FromLogin("", token)
	if err == nil {
		err = s.user.Replace(ctx, credential)
	}
	switch outcome.Of(err) {
	case outcome.Accepted:
		s.recheck.Close()
		s.recheck = s.web.gateway.rechecker.Add(s.consumer)
		s.recheck.Admit(s.user)
		return true
	case outcome.Unavailable, outcome.Overloaded:
		s.leave(closeTryAgain, "nobody can tell whether the token is valid")
	default:
		s.report(outcome.ResultOf(err), closePolicy)
		s.leave(closePolicy, "the token is not taken")
	}
	return false
}
