package opcua

import (
	"context"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	uabinary "github.com/fairlead/fairlead/internal/opcua/binary"
)

// A script is what a server tells of its subscriptions: a list of answers to publish requests, after which it says nothing more.
type script struct {
	mu          sync.Mutex
	answers     []uabinary.PublishResponse
	republish   func(sequence uint32) (body []byte) // what follows the header; nil is not available
	then        func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool)
	deleted     []uint32 // subscriptions
	republished []uint32
	reads       int
}

// told are answers with these messages of the subscription 1.
func told(messages ...uabinary.NotificationMessage) (all []uabinary.PublishResponse) {
	for _, m := range messages {
		all = append(all, uabinary.PublishResponse{SubscriptionID: 1, NotificationMessage: m})
	}
	return all
}

func (s *script) answer(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case id.PublishRequest_Encoding_DefaultBinary:
		if len(s.answers) == 0 {
			return nil, true
		}
		p := s.answers[0]
		p.ResponseHeader, s.answers = h, s.answers[1:]
		return encode(id.PublishResponse_Encoding_DefaultBinary, &p), true
	case id.RepublishRequest_Encoding_DefaultBinary:
		r.Uint32()
		sequence := r.Uint32()
		s.republished = append(s.republished, sequence)
		if s.republish != nil {
			if body := s.republish(sequence); body != nil {
				return append(encode(id.RepublishResponse_Encoding_DefaultBinary, &h), body...), true
			}
		}
		h.ServiceResult = uabinary.StatusBadMessageNotAvailable
		return encode(id.ServiceFault_Encoding_DefaultBinary, &uabinary.ServiceFault{ResponseHeader: h}), true
	case id.DeleteSubscriptionsRequest_Encoding_DefaultBinary:
		r.Uint32()
		s.deleted = append(s.deleted, r.Uint32())
		return encode(id.DeleteSubscriptionsResponse_Encoding_DefaultBinary, &uabinary.DeleteSubscriptionsResponse{ResponseHeader: h,
			Results: []uabinary.StatusCode{0}}), true
	case id.ReadRequest_Encoding_DefaultBinary:
		s.reads++
	}
	if s.then != nil {
		return s.then(kind, r, h)
	}
	return nil, false
}

// seen looks at a script.
func seen[T any](s *script, look func(*script) T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return look(s)
}

// play runs a client against a script until the end of the test.
func play(t *testing.T, s *script, h Handler, change func(*EndpointConfig), items ...Item) {
	t.Helper()
	c := fakeConfig(t, startFake(t, &fakeServer{answer: s.answer}))
	if change != nil {
		change(&c)
	}
	if len(items) == 0 {
		items = []Item{{Node: NodeRef{Kind: 'i', Identifier: "1"}, Publishing: 100 * time.Millisecond}}
	}
	server, err := NewServer(c, func(context.Context, *Connection) ([]Item, error) { return items, nil }, h, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waiting for %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func (h *teller) has(sequence uint32) func() bool {
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return slices.Contains(h.messages, sequence)
	}
}

// lost waits for a loss with a reason.
func (h *teller) lost(t *testing.T, reason string) (found Loss) {
	t.Helper()
	await(t, "a loss: "+reason, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		i := slices.IndexFunc(h.losses, func(l Loss) bool { return strings.Contains(l.Reason, reason) })
		if i >= 0 {
			found = h.losses[i]
		}
		return i >= 0
	})
	return found
}

// A message of a subscription that is not ours has that deleted, and the next messages are ours again.
func TestForeignSubscription(t *testing.T) {
	s, h := &script{answers: told(change(1, 0), change(1, 0), change(2, 0))}, &teller{}
	s.answers[1].SubscriptionID = 99
	play(t, s, h, nil)
	await(t, "the message after it", h.has(2))
	if deleted := seen(s, func(s *script) []uint32 { return s.deleted }); !slices.Equal(deleted, []uint32{99}) {
		t.Errorf("deleted subscriptions %v", deleted)
	}
}

// A server that begins to number its messages anew is told apart from one that sends some twice: what would be dropped is said to be
// lost, and the subscription is made anew.
func TestRenumbered(t *testing.T) {
	s, h := &script{}, &teller{}
	for n := range uint32(100) {
		s.answers = append(s.answers, told(change(n+1, 0))...)
	}
	for range mostRepeated + 1 {
		s.answers = append(s.answers, told(change(7, 0))...)
	}
	play(t, s, h, nil)
	h.lost(t, errRenumbered.Error())
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.messages) != 100 {
		t.Errorf("%d messages", len(h.messages))
	}
}

// What a server answers when it is asked for a message again may be another one, none, or nothing that can be read.
func TestNonsenseAgain(t *testing.T) {
	message := func(sequence uint32) []byte {
		w := &uabinary.Writer{}
		m := change(sequence, 0)
		w.Encode(&m)
		return w.Bytes()
	}
	empty := &uabinary.Writer{}
	empty.Encode(&uabinary.NotificationMessage{SequenceNumber: 3})
	s := &script{answers: told(change(1, 0), change(6, 0)), republish: func(sequence uint32) []byte {
		return map[uint32][]byte{2: message(99), 3: empty.Bytes(), 4: {1, 2, 3}, 5: message(5)}[sequence]
	}}
	h := &teller{}
	play(t, s, h, nil)
	await(t, "the message after the gap", h.has(6))
	if l := h.lost(t, "no longer has them"); l.Messages != 3 {
		t.Errorf("%d messages are lost", l.Messages)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.messages, []uint32{1, 5, 6}) {
		t.Errorf("messages %v", h.messages)
	}
}

// A message that is larger than any may be, and that the server sends again each time, is in the way of the others only until it is
// known as such.
func TestTooLargeAgain(t *testing.T) {
	s := &script{answers: told(change(1, 0), change(4, 0)), republish: func(sequence uint32) []byte {
		if sequence > 4 {
			return nil
		}
		w := &uabinary.Writer{}
		m := change(sequence, 0)
		if sequence == 2 {
			m.NotificationData[0].Body = make([]byte, 2<<20)
		}
		w.Encode(&m)
		return w.Bytes()
	}}
	h := &teller{}
	play(t, s, h, nil)
	await(t, "the message after the next", func() bool { return h.has(3)() && h.has(4)() })
	if l := h.lost(t, "no longer has them"); l.Messages != 1 {
		t.Errorf("%d messages are lost", l.Messages)
	}
}

// Two subscriptions with one number cannot be told apart: the first is said to be lost.
func TestOneNumberTwice(t *testing.T) {
	h := &teller{}
	play(t, &script{}, h, nil, Item{Node: NodeRef{Kind: 'i', Identifier: "1"}, Publishing: time.Second},
		Item{Node: NodeRef{Kind: 'i', Identifier: "2"}, Publishing: 2 * time.Second})
	h.lost(t, "to another one")
}

// Messages that would take much more memory than they are long are not read, and what they held is said to be lost.
func TestLargeMessages(t *testing.T) {
	changes := uabinary.DataChangeNotification{MonitoredItems: make([]uabinary.MonitoredItemNotification, 15_000)}
	part := uabinary.Encoded(id.DataChangeNotification_Encoding_DefaultBinary, &changes)
	events := uabinary.EventNotificationList{Events: make([]uabinary.EventFieldList, 100_000)}
	fields := make([]EventField, mostFields)
	for name, c := range map[string]struct {
		parts []uabinary.ExtensionObject
		item  Item
	}{
		"parts": {slices.Repeat([]uabinary.ExtensionObject{part}, 8), Item{}},
		"events with many fields": {[]uabinary.ExtensionObject{uabinary.Encoded(id.EventNotificationList_Encoding_DefaultBinary, &events)},
			Item{Event: &EventFilter{Fields: fields}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.item.Node = NodeRef{Kind: 'i', Identifier: "1"}
			s := &script{answers: told(uabinary.NotificationMessage{SequenceNumber: 1, NotificationData: c.parts}, change(2, 0))}
			h := &teller{}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			play(t, s, h, nil, c.item)
			h.lost(t, uabinary.ErrLimits.Error())
			await(t, "the message after it", func() bool { return seen(s, func(s *script) bool { return len(s.answers) == 0 }) })
			runtime.ReadMemStats(&after)
			const most = 100 << 20
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%d bytes were allocated", used)
			}
		})
	}
}

// A holder is a Handler that settles nothing.
type holder struct{ teller }

func (h *holder) Notified(n *Notification) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(h.messages, n.Sequence)
}

// While messages that are not settled take as much memory as they may, no more are asked for, however many they are.
func TestLargeUnsettledMessages(t *testing.T) {
	s, h := &script{}, &holder{}
	for n := range uint32(64) {
		m := change(n+1, 0)
		m.NotificationData = append(m.NotificationData, uabinary.Encoded(id.DataChangeNotification_Encoding_DefaultBinary,
			&uabinary.DataChangeNotification{MonitoredItems: make([]uabinary.MonitoredItemNotification, 10_000)}))
		s.answers = append(s.answers, told(m)...)
	}
	play(t, s, h, func(c *EndpointConfig) { c.KeepAlive = 5 * time.Millisecond })
	await(t, "two messages", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.messages) >= 2 })
	before := seen(s, func(s *script) int { return s.reads })
	await(t, "more to happen", func() bool { return seen(s, func(s *script) int { return s.reads }) > before+50 })
	h.mu.Lock()
	defer h.mu.Unlock()
	const most = 8 // of 64: about four fit, and nearly as many were asked for before
	if len(h.messages) > most {
		t.Errorf("%d messages are handed over, more than %d", len(h.messages), most)
	}
}

// A server that does not answer what is asked about a type of structure loses its connection: values would come later and later.
func TestSilentTypes(t *testing.T) {
	structure := uabinary.ExtensionObject{Type: uabinary.ExpandedNodeID{NodeID: uabinary.Numeric(5000)}, Encoding: uabinary.BodyBinary, Body: []byte{1}}
	d := uabinary.DataChangeNotification{MonitoredItems: []uabinary.MonitoredItemNotification{{Value: uabinary.DataValue{HasValue: true,
		Value: uabinary.MakeArray(uabinary.TypeExtensionObject, slices.Repeat([]any{structure}, 1000), nil)}}}}
	s := &script{answers: told(uabinary.NotificationMessage{SequenceNumber: 1,
		NotificationData: []uabinary.ExtensionObject{uabinary.Encoded(id.DataChangeNotification_Encoding_DefaultBinary, &d)}}),
		then: func(kind uint32, _ *uabinary.Reader, _ uabinary.ResponseHeader) ([]byte, bool) {
			return nil, kind == id.BrowseRequest_Encoding_DefaultBinary
		}}
	h := &parting{gone: make(chan error, 100)}
	play(t, s, h, func(c *EndpointConfig) { c.Timeout = 200 * time.Millisecond })
	select {
	case err := <-h.gone:
		if !strings.Contains(err.Error(), "asking for a data type") {
			t.Errorf("the connection ended: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the connection goes on")
	}
}

// A parting is a Handler that tells how connections end.
type parting struct {
	teller
	gone chan error
}

func (h *parting) Disconnected(err error) { h.gone <- err }

// Namespaces in another order, or fewer of them, after a restart: nodes are found by their URI, or refused.
func TestOtherNamespaces(t *testing.T) {
	const a, b = "urn:a", "urn:b"
	var life int64
	var asked []uint16
	lives := [][]string{{StandardNamespace, a, b}, {StandardNamespace, b}, {StandardNamespace, a}, {StandardNamespace, b, a}}
	s := &script{}
	s.then = func(kind uint32, r *uabinary.Reader, h uabinary.ResponseHeader) ([]byte, bool) {
		switch kind {
		case id.ReadRequest_Encoding_DefaultBinary:
			results := answers(r)
			if len(results) < 2 { // the server is asked whether it is there, and ends
				h.ServiceResult = uabinary.StatusBadServiceUnsupported
				return encode(id.ServiceFault_Encoding_DefaultBinary, &uabinary.ServiceFault{ResponseHeader: h}), true
			}
			results[0].Value.Value = lives[min(int(life), len(lives)-1)]
			life++
			results[1] = uabinary.DataValue{HasValue: true, Value: uabinary.Variant{Type: uabinary.TypeDateTime, Value: time.Unix(life, 0)}}
			return encode(id.ReadResponse_Encoding_DefaultBinary, &uabinary.ReadResponse{ResponseHeader: h, Results: results}), true
		case id.CreateMonitoredItemsRequest_Encoding_DefaultBinary:
			r.Uint32()
			r.Uint32()
			r.Uint32()
			asked = append(asked, r.NodeID().Namespace)
		}
		return nil, false
	}
	h := &refusals{}
	play(t, s, h, func(c *EndpointConfig) { c.KeepAlive = 5 * time.Millisecond }, Item{Node: NodeRef{Namespace: b, Kind: 's', Identifier: "x"}})
	await(t, "all lives", func() bool { return seen(s, func(*script) bool { return len(asked) >= 3 }) })
	if got := seen(s, func(*script) []uint16 { return asked[:3] }); !slices.Equal(got, []uint16{2, 1, 1}) {
		t.Errorf("monitored with the indices %v", got)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused != 1 {
		t.Errorf("refused %d times", h.refused)
	}
}

// refusals is a Handler that counts items that are refused.
type refusals struct {
	teller
	refused int
}

func (h *refusals) Refused(all []Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused += len(all)
}

// Numbers that a server says it has are acknowledged if it can have them: once, and quickly.
func TestAcknowledgeAgain(t *testing.T) {
	sub := newSubscription(1, time.Now(), 0, "urn:x")
	sub.stored, sub.expected, sub.again = 20_000, 20_001, true
	available := []uint32{0, 5, 19_999, 19_999, 20_000, 20_001, 1 << 31, math.MaxUint32}
	for range 1_000_000 {
		available = append(available, uint32(len(available)))
	}
	sub.acknowledgeAgain(available)
	if n := len(sub.acks); n != longestGap || !slices.Contains(sub.acks, 20_000) || slices.Contains(sub.acks, 20_001) {
		t.Errorf("%d acknowledgements", n)
	}
}

func TestLongestSilence(t *testing.T) {
	const asked = 7 * time.Second
	for _, c := range []struct {
		interval float64
		count    uint32
		want     time.Duration
	}{{100, 10, time.Second}, {0, 10, asked}, {-1, 10, asked}, {math.NaN(), 10, asked}, {math.Inf(-1), 10, asked}, {100, 0, asked},
		{math.Inf(1), 0, asked}, {math.Inf(1), 1, 1000 * time.Hour}, {1e9, math.MaxUint32, 1000 * time.Hour}, {math.MaxFloat64, 5, 1000 * time.Hour}} {
		if got := longestSilence(c.interval, c.count, asked); got != c.want {
			t.Errorf("%g ms, %d: %s, not %s", c.interval, c.count, got, c.want)
		}
	}
}

func TestSessionTimeout(t *testing.T) {
	for timeout, want := range map[float64]time.Duration{0: 0, -1: 0, math.Inf(-1): 0, 1: time.Second, 9000: 3 * time.Second, math.Inf(1): time.Hour,
		math.MaxFloat64: time.Hour} {
		c := &Connection{}
		c.keepSession(timeout)
		if c.session.silence != want {
			t.Errorf("%g ms: %s, not %s", timeout, c.session.silence, want)
		}
	}
	c := &Connection{}
	if c.keepSession(math.NaN()); c.session.silence != 0 {
		t.Errorf("NaN: %s", c.session.silence)
	}
}

// A server that answers and says nothing is one that keeps busy, if it does so all the time.
func TestFlood(t *testing.T) {
	now := time.Now()
	var slow, fast flood
	for i := range 10_000 {
		if slow.over(now.Add(time.Duration(i) * 10 * time.Millisecond)) {
			t.Fatalf("a hundred in a second are too many after %d", i)
		}
	}
	for i := range 10_000 {
		if fast.over(now.Add(time.Duration(i) * 10 * time.Microsecond)) {
			return
		}
	}
	t.Error("a hundred thousand in a second are not too many")
}

// A server that breaks each connection at once is asked ever more rarely, as one that takes none. After one that has lasted pauses
// begin anew.
func TestPausesAfterShortLives(t *testing.T) {
	const first, longest = 100 * time.Millisecond, 10 * time.Second
	a := attempts{pauses: backoff.New(first, longest)}
	for range 20 {
		a.pause(time.Millisecond)
	}
	if a.last < longest/2-1 {
		t.Errorf("a pause of %s after many short lives", a.last)
	}
	if d := a.pause(time.Minute); d > 2*first {
		t.Errorf("a pause of %s after a long life", d)
	}
}

// A server that ends the connection whenever the session of before is taken up again is given a new one after some attempts.
func TestResumeInVain(t *testing.T) {
	var mu sync.Mutex
	created, inVain, cut := map[net.Conn]bool{}, 0, false
	s := &fakeServer{frames: func(conn net.Conn, sequence *uint32, request uint32, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		switch uabinary.NewReader(body, 0).NodeID().Number {
		case id.CreateSessionResponse_Encoding_DefaultBinary:
			created[conn] = true
		case id.ActivateSessionResponse_Encoding_DefaultBinary:
			if !created[conn] {
				inVain++
				_ = conn.Close()
				return
			}
		case id.CreateMonitoredItemsResponse_Encoding_DefaultBinary:
			if !cut {
				cut = true
				defer func() { _ = conn.Close() }()
			}
		}
		_ = message(conn, "MSGF", sequence, request, body)
	}, answer: (&script{}).answer}
	h := &connecting{connected: make(chan Info, 100)}
	c := fakeConfig(t, startFake(t, s))
	items := func(context.Context, *Connection) ([]Item, error) {
		return []Item{{Node: NodeRef{Kind: 'i', Identifier: "1"}, Publishing: time.Second}}, nil
	}
	server, err := NewServer(c, items, h, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	await(t, "a connection with a new session", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(created) == 2 && len(h.connected) > 0
	})
	mu.Lock()
	defer mu.Unlock()
	if inVain != mostResumes {
		t.Errorf("the session was taken up again %d times", inVain)
	}
}

// A connecting Handler tells when it is connected.
type connecting struct {
	teller
	connected chan Info
}

func (h *connecting) Connected(i Info) { h.connected <- i }
