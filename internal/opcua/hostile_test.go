package opcua

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"go.uber.org/zap"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
	"github.com/fairlead/fairlead/internal/opcua/channel"
)

func fakeConfig(t *testing.T, url string) EndpointConfig {
	return EndpointConfig{Name: "fake", URL: url, Folder: t.TempDir(), Timeout: time.Minute, MaxMessage: 1 << 20,
		FirstPause: time.Millisecond, LongestPause: 10 * time.Millisecond}
}

// onRead answers the reading of the namespaces with what follows the header of a response.
func onRead(content ...byte) *fakeServer {
	return &fakeServer{answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		if kind != id.ReadRequest_Encoding_DefaultBinary {
			return nil, false
		}
		return append(encode(id.ReadResponse_Encoding_DefaultBinary, &h), content...), true
	}}
}

// A server that answers nonsense ends the connection with an error, and takes little memory.
func TestNonsense(t *testing.T) {
	greeting := func(b ...byte) *fakeServer {
		return &fakeServer{greet: func(c net.Conn) { _, _ = c.Write(b); _ = c.Close() }}
	}
	frames := func(f func(conn net.Conn, sequence *uint32, request uint32, body []byte)) *fakeServer {
		return &fakeServer{frames: f}
	}
	for name, s := range map[string]*fakeServer{
		"nothing":             greeting(),
		"HTTP":                greeting([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...),
		"zeros":               greeting(make([]byte, 100)...),
		"a long greeting":     greeting('A', 'C', 'K', 'F', 0xff, 0xff, 0xff, 0x7f),
		"a short greeting":    greeting('A', 'C', 'K', 'F', 8, 0, 0, 0),
		"small chunks":        greeting('A', 'C', 'K', 'F', 28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"an error":            greeting('E', 'R', 'R', 'F', 16, 0, 0, 0, 0, 0, 0x7d, 0x80, 0xff, 0xff, 0xff, 0x7f),
		"an endless array":    onRead(0xff, 0xff, 0xff, 0x7f, 0, 0, 0),
		"a negative array":    onRead(1, 0, 0, 0, 1, 0x86, 0xfb, 0xff, 0xff, 0xff),
		"endless dimensions":  onRead(1, 0, 0, 0, 1, 0xc6, 1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f),
		"dimensions over all": onRead(1, 0, 0, 0, 1, 0xc6, 0, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f),
		"too many dimensions": onRead(append([]byte{1, 0, 0, 0, 1, 0xc6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}, bytes.Repeat([]byte{1, 0, 0, 0}, 256)...)...),
		"an unknown type":     onRead(1, 0, 0, 0, 1, 0x3f),
		"deep variants":       onRead(append([]byte{1, 0, 0, 0, 1}, bytes.Repeat([]byte{24}, 500_000)...)...),
		"deep diagnostics":    onRead(append([]byte{0, 0, 0, 0, 1, 0, 0, 0}, bytes.Repeat([]byte{0x40}, 500_000)...)...),
		"many small values":   onRead(append([]byte{0, 0, 8, 0}, make([]byte, 0x80000)...)...),
		"chunks of nothing": frames(func(c net.Conn, sequence *uint32, request uint32, _ []byte) {
			for range 100_000 {
				_ = message(c, "MSGC", sequence, request, nil)
			}
		}),
		"endless chunks": frames(func(c net.Conn, sequence *uint32, request uint32, _ []byte) {
			for range 100 {
				_ = message(c, "MSGC", sequence, request, make([]byte, 60_000))
			}
		}),
		"chunks of other requests": frames(func(c net.Conn, sequence *uint32, _ uint32, _ []byte) {
			for i := range uint32(100) {
				_ = message(c, "MSGC", sequence, i, make([]byte, 60_000))
			}
		}),
		"a chunk twice": frames(func(c net.Conn, sequence *uint32, request uint32, body []byte) {
			_ = message(c, "MSGF", sequence, request, body)
			*sequence--
			_ = message(c, "MSGF", sequence, request, body)
		}),
		"another token": frames(func(c net.Conn, sequence *uint32, request uint32, body []byte) {
			w := &uabinary.Writer{}
			for _, v := range []uint32{1, 99, *sequence + 1, request} {
				w.Uint32(v)
			}
			_ = chunk(c, "MSGF", append(w.Bytes(), body...))
		}),
		"short chunks": frames(func(c net.Conn, _ *uint32, _ uint32, _ []byte) {
			for length := range 12 {
				_ = chunk(c, "MSGF", make([]byte, length))
			}
		}),
		"a larger chunk than asked for": frames(func(c net.Conn, _ *uint32, _ uint32, _ []byte) { _ = chunk(c, "MSGF", make([]byte, 1<<16)) }),
		"a jump in the numbers": frames(func(c net.Conn, sequence *uint32, request uint32, body []byte) {
			*sequence++
			_ = message(c, "MSGF", sequence, request, body)
		}),
		"a second opening": frames(func(c net.Conn, sequence *uint32, request uint32, body []byte) {
			*sequence++
			w := &uabinary.Writer{}
			w.Uint32(1)
			w.String(ua.SecurityPolicyURINone)
			for range 2 {
				w.ByteString(nil)
			}
			w.Uint32(*sequence)
			w.Uint32(request)
			_ = chunk(c, "OPNF", append(w.Bytes(), body...))
		}),
		"65537 namespaces":              namespaces(make([]string, 1<<16+1)),
		"a namespace without end":       namespaces([]string{StandardNamespace, strings.Repeat("a", mostURI+1)}),
		"no namespaces":                 onRead(5, 0, 0, 0, 0, 0, 0, 0, 0),
		"an ApplicationUri without end": withEndpoint(func(e *uabinary.EndpointDescription) { e.Server.ApplicationURI = strings.Repeat("a", mostURI+1) }),
		"an endless nonce": {answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
			return encode(id.CreateSessionResponse_Encoding_DefaultBinary, &uabinary.CreateSessionResponse{ResponseHeader: h,
				AuthenticationToken: uabinary.Numeric(7), ServerNonce: make([]byte, 1<<16)}), kind == id.CreateSessionRequest_Encoding_DefaultBinary
		}},
		"an answer of another type": {answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
			return encode(id.BrowseResponse_Encoding_DefaultBinary, &uabinary.BrowseResponse{ResponseHeader: h}),
				kind == id.CreateSessionRequest_Encoding_DefaultBinary
		}},
		"fewer answers": {answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
			return encode(id.ReadResponse_Encoding_DefaultBinary, &uabinary.ReadResponse{ResponseHeader: h}), kind == id.ReadRequest_Encoding_DefaultBinary
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := fakeConfig(t, startFake(t, s))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			conn, err := Dial(t.Context(), c, zap.NewNop())
			runtime.ReadMemStats(&after)
			if err == nil {
				_ = conn.Close()
				t.Fatal("no error")
			}
			const most = 200 << 20
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%d bytes were allocated", used)
			}
		})
	}
}

// namespaces is a server that tells these, and 0 for all else.
func namespaces(uris []string) *fakeServer {
	return &fakeServer{answer: func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		if kind != id.ReadRequest_Encoding_DefaultBinary {
			return nil, false
		}
		results := answers(r)
		results[0].Value.Value = uris
		return encode(id.ReadResponse_Encoding_DefaultBinary, &uabinary.ReadResponse{ResponseHeader: h, Results: results}), true
	}}
}

// withEndpoint is a server whose endpoint is another than usual.
func withEndpoint(change func(*uabinary.EndpointDescription)) *fakeServer {
	return &fakeServer{answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		e := usualEndpoint()
		change(&e)
		return encode(id.GetEndpointsResponse_Encoding_DefaultBinary, &uabinary.GetEndpointsResponse{ResponseHeader: h,
			Endpoints: []uabinary.EndpointDescription{e}}), kind == id.GetEndpointsRequest_Encoding_DefaultBinary
	}}
}

// A message that begins and never ends is given up as one that never comes.
func TestMessageWithoutEnd(t *testing.T) {
	s := &fakeServer{frames: func(c net.Conn, sequence *uint32, request uint32, _ []byte) {
		_ = message(c, "MSGC", sequence, request, []byte{0})
	}}
	c := fakeConfig(t, startFake(t, s))
	c.Timeout = 100 * time.Millisecond
	if _, err := Dial(t.Context(), c, zap.NewNop()); !errors.Is(err, channel.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// A server that says nothing is given up.
func TestSilence(t *testing.T) {
	s := &fakeServer{answer: func(uint32, *uabinary.Reader, uabinary.ResponseHeader) ([]byte, bool) { return nil, true }}
	c := fakeConfig(t, startFake(t, s))
	c.Timeout = 50 * time.Millisecond
	if _, err := Dial(t.Context(), c, zap.NewNop()); !errors.Is(err, channel.ErrTimeout) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// references is an answer to a browse request with some references and a continuation point.
func references(h uabinary.ResponseHeader, kind uint32, nodes ...uint32) []byte {
	result := uabinary.BrowseResult{ContinuationPoint: []byte("more")}
	for _, n := range nodes {
		result.References = append(result.References, uabinary.ReferenceDescription{NodeClass: 1, NodeID: uabinary.ExpandedNodeID{NodeID: uabinary.Numeric(n)}})
	}
	return encode(kind, &uabinary.BrowseResponse{ResponseHeader: h, Results: []uabinary.BrowseResult{result}})
}

// Continuation points without end do not hold a walk up.
func TestEndlessContinuation(t *testing.T) {
	n := uint32(1000)
	for name, next := range map[string]func() []uint32{
		"empty":    func() []uint32 { return nil },
		"the same": func() []uint32 { return []uint32{1000} },
		"new ones": func() []uint32 { n += 2; return []uint32{n, n + 1} },
	} {
		t.Run(name, func(t *testing.T) {
			s := &fakeServer{answer: func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
				switch kind {
				case id.BrowseRequest_Encoding_DefaultBinary:
					return references(h, id.BrowseResponse_Encoding_DefaultBinary, 1000), true
				case id.BrowseNextRequest_Encoding_DefaultBinary:
					return references(h, id.BrowseNextResponse_Encoding_DefaultBinary, next()...), true
				}
				return nil, false
			}}
			conn, err := Dial(t.Context(), fakeConfig(t, startFake(t, s)), zap.NewNop())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tree, err := conn.Browse(t.Context(), ObjectsFolder, Bounds{Nodes: 100})
			if err != nil {
				t.Fatal(err)
			}
			if tree.Truncated == "" || len(tree.Root.Children) > 100 {
				t.Errorf("%d children, %q", len(tree.Root.Children), tree.Truncated)
			}
		})
	}
}

// A teller is a Handler that remembers what was lost and settles at once.
type teller struct {
	mu       sync.Mutex
	losses   []Loss
	messages []uint32
}

func (h *teller) Connected(Info)      {}
func (h *teller) Disconnected(error)  {}
func (h *teller) Refused(_ []Refusal) {}

func (h *teller) Lost(l Loss) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.losses = append(h.losses, l)
}

func (h *teller) Notified(n *Notification) {
	h.mu.Lock()
	h.messages = append(h.messages, n.Sequence)
	h.mu.Unlock()
	n.Settle()
}

// change is a message with a value of a monitored item.
func change(sequence, handle uint32) uabinary.NotificationMessage {
	d := uabinary.DataChangeNotification{MonitoredItems: []uabinary.MonitoredItemNotification{{ClientHandle: handle,
		Value: uabinary.DataValue{HasValue: true, Value: uabinary.Variant{Type: uabinary.TypeInt32, Value: int32(sequence)}}}}}
	return uabinary.NotificationMessage{SequenceNumber: sequence,
		NotificationData: []uabinary.ExtensionObject{uabinary.Encoded(id.DataChangeNotification_Encoding_DefaultBinary, &d)}}
}

// Messages with gaps, repetitions, unknown items and unreadable parts: what is lost is said, the others are handed over in order.
func TestStrangeMessages(t *testing.T) {
	unreadable := change(9, 0)
	unreadable.NotificationData[0].Body = []byte{0xff, 0xff, 0xff, 0x7f}
	messages := []uabinary.NotificationMessage{change(1, 0), change(2, 0), change(2, 0), {SequenceNumber: 3}, change(3, 99), change(6, 0), change(1, 0),
		{SequenceNumber: 8}, change(8, 0), unreadable, change(10, 0), change(1<<31-5, 0)}
	stored := map[uint32]uabinary.NotificationMessage{4: change(4, 0)}
	var mu sync.Mutex
	var acknowledged []uint32
	s := &fakeServer{answer: func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		mu.Lock()
		defer mu.Unlock()
		switch kind {
		case id.PublishRequest_Encoding_DefaultBinary:
			for range int32(r.Uint32()) {
				r.Uint32()
				acknowledged = append(acknowledged, r.Uint32())
			}
			if len(messages) == 0 {
				return nil, true
			}
			m := messages[0]
			messages = messages[1:]
			return encode(id.PublishResponse_Encoding_DefaultBinary, &uabinary.PublishResponse{ResponseHeader: h, SubscriptionID: 1, NotificationMessage: m}), true
		case id.RepublishRequest_Encoding_DefaultBinary:
			r.Uint32()
			if m, there := stored[r.Uint32()]; there {
				return encode(id.RepublishResponse_Encoding_DefaultBinary, &uabinary.RepublishResponse{ResponseHeader: h, NotificationMessage: m}), true
			}
			h.ServiceResult = uabinary.StatusBadMessageNotAvailable
			return encode(id.ServiceFault_Encoding_DefaultBinary, &uabinary.ServiceFault{ResponseHeader: h}), true
		}
		return nil, false
	}}
	h := &teller{}
	items := func(context.Context, *Connection) ([]Item, error) {
		return []Item{{Node: NodeRef{Kind: 'i', Identifier: "1"}, Publishing: 100 * time.Millisecond}}, nil
	}
	server, err := NewServer(fakeConfig(t, startFake(t, s)), items, h, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	want := []uint32{1, 2, 4, 6, 8, 10, 1<<31 - 5}
	deadline := time.After(time.Minute)
	for {
		mu.Lock()
		all := slices.Contains(acknowledged, want[len(want)-1])
		mu.Unlock()
		if all {
			break
		}
		select {
		case <-deadline:
			t.Fatal("the last message was not acknowledged")
		case <-time.After(time.Millisecond):
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.messages, want) {
		t.Errorf("messages %v, not %v", h.messages, want)
	}
	lost := make([]int, 0, len(h.losses))
	for _, l := range h.losses {
		lost = append(lost, l.Messages)
	}
	if !slices.Equal(lost, []int{1, 1, 1, 1<<31 - 5 - 11}) {
		t.Errorf("losses %+v", h.losses)
	}
	if want := []uint32{1, 2, 3, 4, 6, 8, 9, 10, 1<<31 - 5}; !slices.Equal(acknowledged, want) {
		t.Errorf("acknowledged %v, not %v", acknowledged, want)
	}
}

// passwordFile is a file with a password.
func passwordFile(t *testing.T, password string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What a client says when a server is not what it should be helps.
func TestWhatToDo(t *testing.T) {
	c := fakeConfig(t, startFake(t, &fakeServer{}))
	c.Policy = PolicyBasic256Sha256
	if _, err := Dial(t.Context(), c, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "but None/None") {
		t.Errorf("no such endpoint: %v", err)
	}
	c.Policy, c.Mode, c.Identity = PolicyNone, ModeNone, Identity{User: "a", PasswordFile: passwordFile(t, "b")}
	if _, err := Dial(t.Context(), c, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "no such identity") {
		t.Errorf("a password without protection: %v", err)
	}
}

// A password is not encrypted with a nonce that is too short to be of any use.
func TestShortNonce(t *testing.T) {
	pair, err := ownKeyPair(t.TempDir(), "urn:fake")
	if err != nil {
		t.Fatal(err)
	}
	for length, complaint := range map[int]string{0: "has 0 bytes", 31: "has 31 bytes", 32: "", 1024: "", 1025: "has 1025 bytes"} {
		s := &fakeServer{answer: func(kind uint32, _ *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
			switch kind {
			case id.GetEndpointsRequest_Encoding_DefaultBinary:
				e := usualEndpoint()
				e.ServerCertificate = pair.der
				e.UserIdentityTokens = []uabinary.UserTokenPolicy{{PolicyID: "u", TokenType: tokenUserName,
					SecurityPolicyURI: ua.SecurityPolicyURIPrefix + string(PolicyBasic256Sha256)}}
				return encode(id.GetEndpointsResponse_Encoding_DefaultBinary, &uabinary.GetEndpointsResponse{ResponseHeader: h,
					Endpoints: []uabinary.EndpointDescription{e}}), true
			case id.CreateSessionRequest_Encoding_DefaultBinary:
				return encode(id.CreateSessionResponse_Encoding_DefaultBinary, &uabinary.CreateSessionResponse{ResponseHeader: h,
					AuthenticationToken: uabinary.Numeric(7), ServerNonce: make([]byte, length)}), true
			}
			return nil, false
		}}
		c := fakeConfig(t, startFake(t, s))
		c.Identity = Identity{User: "a", PasswordFile: passwordFile(t, "b")}
		trusted := filepath.Join(c.Folder, trustedFolder)
		if err := os.MkdirAll(trusted, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(trusted, "a.der"), pair.der, 0o600); err != nil {
			t.Fatal(err)
		}
		conn, err := Dial(t.Context(), c, zap.NewNop())
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != (complaint == "") || err != nil && !strings.Contains(err.Error(), "the server's nonce "+complaint) {
			t.Errorf("a nonce of %d bytes: %v", length, err)
		}
	}
}

// An address space that leads back to itself is walked once, and names that are longer than names may be are left out.
func TestCircle(t *testing.T) {
	reference := func(number uint32, name string) uabinary.ReferenceDescription {
		return uabinary.ReferenceDescription{NodeClass: 1, NodeID: uabinary.ExpandedNodeID{NodeID: uabinary.Numeric(number)}, BrowseName: uabinary.QualifiedName{Name: name}}
	}
	below := map[uint32][]uabinary.ReferenceDescription{
		85:   {reference(1000, "a"), reference(1001, strings.Repeat("b", mostName+1))},
		1000: {reference(1000, "a"), reference(85, "Objects"), reference(1002, "c")},
		1002: {reference(1000, "a")},
	}
	s := &fakeServer{answer: func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		if kind != id.BrowseRequest_Encoding_DefaultBinary {
			return nil, false
		}
		var q struct {
			View      uabinary.NodeID
			Timestamp time.Time
			Version   uint32
			Most      uint32
			Nodes     []uabinary.BrowseDescription
		}
		if err := r.Decode(&q); err != nil {
			t.Error(err)
		}
		p := &uabinary.BrowseResponse{ResponseHeader: h}
		for _, n := range q.Nodes {
			p.Results = append(p.Results, uabinary.BrowseResult{References: below[n.NodeID.Number]})
		}
		return encode(id.BrowseResponse_Encoding_DefaultBinary, p), true
	}}
	conn, err := Dial(t.Context(), fakeConfig(t, startFake(t, s)), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tree, err := conn.Browse(t.Context(), ObjectsFolder, Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for stack := []*TreeNode{tree.Root}; len(stack) > 0; stack = stack[1:] {
		for _, child := range stack[0].Children {
			names = append(names, child.BrowseName.Name)
			stack = append(stack, child)
		}
	}
	if want := []string{"a", "a", "Objects", "c", "a"}; !slices.Equal(names, want) || tree.Truncated != "" {
		t.Errorf("%v, %q", names, tree.Truncated)
	}
}
