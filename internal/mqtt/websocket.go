package mqtt

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

const (
	maxMessage  = largestBuffer // bytes of a WebSocket message; no packet that a Config allows is larger
	frameBuffer = 512           // bytes, in either direction; larger frames are not buffered
)

// WebSocket serves MQTT over WebSocket on every path (section 6). A client that offers the subprotocol mqtt gets it, one
// that offers none is let in without. The origin of a page does not matter, since nothing that a browser adds by itself
// admits a client.
func (s *Server) WebSocket() http.Handler { return http.HandlerFunc(s.upgrade) }

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		http.Error(w, "This is an MQTT endpoint. Connect with WebSocket and the subprotocol mqtt.", http.StatusNotFound)
		return
	}
	if !s.limits.acceptConnection() {
		s.metrics.connected(unheard)
		http.Error(w, "too many clients connect at once", http.StatusServiceUnavailable)
		return
	}
	taker := &linkTaker{ResponseWriter: w}
	frames, err := websocket.Accept(taker, r, &websocket.AcceptOptions{
		Subprotocols:       []string{"mqtt"},
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil { // which the client has been told
		s.limits.connectReceived()
		s.metrics.connected(noHandshake)
		return
	}
	frames.SetReadLimit(maxMessage)
	s.begin(&webSocket{Conn: taker.link, frames: frames, status: websocket.StatusNormalClosure})
}

// A webSocket is a link whose bytes are those of binary messages, wherever these begin and end. Deadlines are set on the
// connection below, without timers; hence nothing more can be read after a read deadline has passed.
type webSocket struct {
	net.Conn
	frames  *websocket.Conn
	message io.Reader            // what is left of the message that is being read
	status  websocket.StatusCode // to close with
}

var errText = errors.New("a websocket message is not binary")

// Read reads from the current message, or waits for the next one.
func (w *webSocket) Read(b []byte) (int, error) {
	for {
		if w.message == nil {
			kind, message, err := w.frames.Reader(context.Background())
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				w.status = websocket.StatusUnsupportedData
				return 0, errText
			}
			w.message = message
		}
		n, err := w.message.Read(b)
		if errors.Is(err, io.EOF) {
			w.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write sends one message.
func (w *webSocket) Write(b []byte) (int, error) {
	if err := w.frames.Write(context.Background(), websocket.MessageBinary, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// CloseWrite performs the closing handshake, in which both sides say that they will send nothing more.
func (w *webSocket) CloseWrite() error {
	if err := w.SetDeadline(time.Now().Add(lingerTime)); err != nil {
		return err
	}
	return w.frames.Close(w.status, "")
}

// Close closes the connection without further words.
func (w *webSocket) Close() error { return w.frames.CloseNow() }

// NetConn is the connection below, which knows what the client has proven.
func (w *webSocket) NetConn() net.Conn { return w.Conn }

// A linkTaker keeps the connection that a WebSocket takes over from its HTTP server, and gives it smaller buffers than
// those of HTTP.
type linkTaker struct {
	http.ResponseWriter
	link *takenLink
}

// Hijack takes the connection over.
func (t *linkTaker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	link, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		_ = link.Close() // it is of no use
		return nil, nil, err
	}
	t.link = &takenLink{Conn: link, early: append([]byte(nil), early...)}
	return t.link, bufio.NewReadWriter(bufio.NewReaderSize(t.link, frameBuffer), bufio.NewWriterSize(t.link, frameBuffer)), nil
}

// A takenLink begins with what the HTTP server has read too much.
type takenLink struct {
	net.Conn
	early []byte
}

// NetConn is the connection that was taken over.
func (l *takenLink) NetConn() net.Conn { return l.Conn }

// Read begins with what the HTTP server has read too much.
func (l *takenLink) Read(b []byte) (int, error) {
	if len(l.early) == 0 {
		return l.Conn.Read(b)
	}
	n := copy(b, l.early)
	if l.early = l.early[n:]; len(l.early) == 0 {
		l.early = nil
	}
	return n, nil
}
