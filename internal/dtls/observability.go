package dtls

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A handshakeResult is how a handshake ended.
type handshakeResult string

const (
	handshakeDone      handshakeResult = "done"
	handshakeFailed    handshakeResult = "failed" // the client or we have refused, or what came made no sense
	handshakeTimeout   handshakeResult = "timeout"
	handshakeDisproved handshakeResult = "disproved" // the client has another pre-shared key than its identity
	handshakeGone      handshakeResult = "gone"      // gave way, or cost too much
)

// A dropReason is why a datagram was not looked at any further.
type dropReason string

const (
	dropMalformed dropReason = "malformed" // no DTLS
	dropOversize  dropReason = "oversize"
	dropStray     dropReason = "stray"   // of no session that is known
	dropFull      dropReason = "full"    // more than the session can take
	dropBudget    dropReason = "budget"  // more in the clear than a handshake needs
	dropClosing   dropReason = "closing" // a new client of a listener that is about to close
	dropUnread    dropReason = "unread"  // the socket or the session has an error, or the message is too large
)

type metrics struct {
	handshakes, dropped, gone, moved metric.Int64Counter
}

func newMetrics(count func() (sessions, handshakes int)) *metrics {
	meter := otel.Meter("github.com/fairlead/fairlead/internal/dtls")
	m := &metrics{}
	m.handshakes, _ = meter.Int64Counter("fairlead.dtls.handshakes",
		metric.WithDescription("DTLS handshakes, by how they ended."))
	m.dropped, _ = meter.Int64Counter("fairlead.dtls.dropped",
		metric.WithDescription("Datagrams that were dropped unread, by reason."))
	m.gone, _ = meter.Int64Counter("fairlead.dtls.displaced",
		metric.WithDescription("Clients that gave way at a bound or were idle for too long, by how far they had come."))
	m.moved, _ = meter.Int64Counter("fairlead.dtls.moved",
		metric.WithDescription("Changes of address of clients with a connection ID."))
	sessions, _ := meter.Int64ObservableGauge("fairlead.dtls.sessions", metric.WithDescription("Open DTLS sessions."))
	pending, _ := meter.Int64ObservableGauge("fairlead.dtls.handshakes.pending", metric.WithDescription("DTLS handshakes under way."))
	_, _ = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s, h := count()
		o.ObserveInt64(sessions, int64(s))
		o.ObserveInt64(pending, int64(h))
		return nil
	}, sessions, pending)
	return m
}

func (m *metrics) finish(r handshakeResult) { count(m.handshakes, "result", string(r)) }
func (m *metrics) drop(r dropReason)        { count(m.dropped, "reason", string(r)) }
func (m *metrics) displaced(s stage)        { count(m.gone, "stage", s.String()) }
func (m *metrics) move()                    { m.moved.Add(context.Background(), 1) }

func count(counter metric.Int64Counter, name, value string) {
	counter.Add(context.Background(), 1, metric.WithAttributeSet(attribute.NewSet(attribute.String(name, value))))
}

// String is the label of a stage.
func (s stage) String() string {
	switch s {
	case unproven:
		return "unproven"
	case handshaking:
		return "handshake"
	case established:
		return "session"
	default:
		return "closed"
	}
}
