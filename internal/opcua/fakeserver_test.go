package opcua

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// A fakeServer speaks as much OPC UA as a test of bad servers needs. It never stands for a good one.
type fakeServer struct {
	t        *testing.T
	listener net.Listener

	// answer is the body of the answer to a request, with its type in front; nil is no answer. It replaces the usual answer if ok.
	answer func(request uint32, body *uabinary.Reader, header uabinary.ResponseHeader) (answer []byte, ok bool)
	// frames writes the answer to a message; nil is one chunk.
	frames func(conn net.Conn, sequence *uint32, request uint32, body []byte)
	// greet writes instead of the acknowledgement of the greeting; nil is a good one.
	greet func(conn net.Conn)

	mu    sync.Mutex
	conns []net.Conn
}

func startFake(t *testing.T, s *fakeServer) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.t, s.listener = t, listener
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			go s.serve(conn)
		}
	}()
	return "opc.tcp://" + listener.Addr().String()
}

// frame reads a chunk.
func frame(conn net.Conn) ([]byte, error) {
	header := make([]byte, 8)
	if _, err := io.ReadFull(conn, header); err != nil {
		return nil, err
	}
	rest := make([]byte, binary.LittleEndian.Uint32(header[4:])-8)
	_, err := io.ReadFull(conn, rest)
	return append(header, rest...), err
}

// chunk writes a chunk.
func chunk(conn net.Conn, kind string, content []byte) error {
	b := append([]byte(kind), 0, 0, 0, 0)
	b = append(b, content...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	_, err := conn.Write(b)
	return err
}

func (s *fakeServer) serve(conn net.Conn) {
	defer conn.Close()
	if _, err := frame(conn); err != nil {
		return
	}
	if s.greet != nil {
		s.greet(conn)
	} else {
		w := &uabinary.Writer{}
		for _, v := range []uint32{0, 65535, 65535, 0, 0} {
			w.Uint32(v)
		}
		_ = chunk(conn, "ACKF", w.Bytes())
	}
	var sequence uint32
	for {
		b, err := frame(conn)
		if err != nil || string(b[:3]) == "CLO" {
			return
		}
		s.reply(conn, &sequence, b)
	}
}

// reply answers a request.
func (s *fakeServer) reply(conn net.Conn, sequence *uint32, b []byte) {
	r := uabinary.NewReader(b[8:], 1<<20)
	opening := string(b[:3]) == "OPN"
	r.Uint32() // channel
	if opening {
		_, _, _ = r.String(), r.Bytes(), r.Bytes()
	} else {
		r.Uint32() // token
	}
	r.Uint32() // sequence
	request := r.Uint32()
	kind := r.NodeID().Number
	var header uabinary.RequestHeader
	_ = r.Decode(&header)
	body := s.body(kind, r, uabinary.ResponseHeader{Timestamp: time.Now(), RequestHandle: header.RequestHandle})
	if body == nil {
		return
	}
	if opening {
		*sequence++
		w := &uabinary.Writer{}
		w.Uint32(1)
		w.String(ua.SecurityPolicyURINone)
		w.ByteString(nil)
		w.ByteString(nil)
		w.Uint32(*sequence)
		w.Uint32(request)
		_ = chunk(conn, "OPNF", append(w.Bytes(), body...))
		return
	}
	if s.frames != nil {
		s.frames(conn, sequence, request, body)
		return
	}
	const room = 60_000
	for ; len(body) > room; body = body[room:] {
		_ = message(conn, "MSGC", sequence, request, body[:room])
	}
	_ = message(conn, "MSGF", sequence, request, body)
}

// message writes a chunk of a message.
func message(conn net.Conn, kind string, sequence *uint32, request uint32, body []byte) error {
	*sequence++
	w := &uabinary.Writer{}
	for _, v := range []uint32{1, 1, *sequence, request} {
		w.Uint32(v)
	}
	return chunk(conn, kind, append(w.Bytes(), body...))
}

// encode is a response with its type in front.
func encode(kind uint32, response any) []byte {
	w := &uabinary.Writer{}
	w.NodeID(uabinary.Numeric(kind))
	w.Encode(response)
	return w.Bytes()
}

// body is the usual answer, or that of the test.
func (s *fakeServer) body(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) []byte {
	if s.answer != nil {
		if b, ok := s.answer(kind, r, h); ok {
			return b
		}
	}
	switch kind {
	case id.OpenSecureChannelRequest_Encoding_DefaultBinary:
		return encode(id.OpenSecureChannelResponse_Encoding_DefaultBinary, &uabinary.OpenSecureChannelResponse{ResponseHeader: h, ChannelID: 1,
			TokenID: 1, RevisedLifetime: 3600_000})
	case id.GetEndpointsRequest_Encoding_DefaultBinary:
		return encode(id.GetEndpointsResponse_Encoding_DefaultBinary, &uabinary.GetEndpointsResponse{ResponseHeader: h,
			Endpoints: []uabinary.EndpointDescription{usualEndpoint()}})
	case id.CreateSessionRequest_Encoding_DefaultBinary:
		return encode(id.CreateSessionResponse_Encoding_DefaultBinary, &uabinary.CreateSessionResponse{ResponseHeader: h,
			AuthenticationToken: uabinary.Numeric(7)})
	case id.ActivateSessionRequest_Encoding_DefaultBinary:
		return encode(id.ActivateSessionResponse_Encoding_DefaultBinary, &uabinary.ActivateSessionResponse{ResponseHeader: h})
	case id.ReadRequest_Encoding_DefaultBinary:
		return encode(id.ReadResponse_Encoding_DefaultBinary, &uabinary.ReadResponse{ResponseHeader: h, Results: answers(r)})
	case id.CreateSubscriptionRequest_Encoding_DefaultBinary:
		return encode(id.CreateSubscriptionResponse_Encoding_DefaultBinary, &uabinary.CreateSubscriptionResponse{ResponseHeader: h,
			SubscriptionID: 1, RevisedPublishingInterval: 100, RevisedMaxKeepAliveCount: 10})
	case id.CreateMonitoredItemsRequest_Encoding_DefaultBinary:
		return encode(id.CreateMonitoredItemsResponse_Encoding_DefaultBinary, &uabinary.CreateMonitoredItemsResponse{ResponseHeader: h,
			Results: []uabinary.MonitoredItemCreateResult{{MonitoredItemID: 1}}})
	default:
		h.ServiceResult = uabinary.StatusBadServiceUnsupported
		return encode(id.ServiceFault_Encoding_DefaultBinary, &uabinary.ServiceFault{ResponseHeader: h})
	}
}

func usualEndpoint() uabinary.EndpointDescription {
	return uabinary.EndpointDescription{SecurityMode: 1, SecurityPolicyURI: ua.SecurityPolicyURINone,
		Server: uabinary.ApplicationDescription{ApplicationURI: "urn:fake"}, UserIdentityTokens: []uabinary.UserTokenPolicy{{PolicyID: "a"}}}
}

// answers are the values of what is read: the namespaces, and nothing else.
func answers(r *uabinary.Reader) []uabinary.DataValue {
	r.Float64()
	r.Uint32()
	results := make([]uabinary.DataValue, r.Uint32())
	for i := range results {
		if i == 0 {
			results[0] = uabinary.DataValue{HasValue: true, Value: uabinary.Variant{Type: uabinary.TypeString, Array: true,
				Value: []string{StandardNamespace, "urn:fake"}}}
		}
	}
	return results
}
