package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua/binary"
)

// A subscription is one at the server, and how far its messages have come.
type subscription struct {
	id         uint32
	created    time.Time
	publishing time.Duration // as it was asked for
	silence    time.Duration // after which the server says that it is there, as it has promised; 0 is unknown
	origin     string        // names it in ids of events
	items      map[uint32]*monitored

	expected uint32          // number of the next message
	open     []uint32        // messages that were handed over, from the first one that is not settled on
	done     map[uint32]bool // those of them that are settled
	stored   uint32          // everything up to this number is settled
	acks     []uint32        // messages that are to be acknowledged
	again    bool            // what the server still has and is stored is to be acknowledged once more
	heard    time.Time       // when the last message came
	alive    time.Time       // when the server said last that it is there
	gap      *gap            // that is being filled; nil if there is none
	repeated int             // messages in a row that had been there
}

// A monitored item is one that the server monitors.
type monitored struct {
	item   Item
	handle uint32
	id     uint32 // at the server
	print  fingerprint
}

// next is the number of the message that follows one (OPC 10000-4, 7.26).
func next(sequence uint32) uint32 {
	if sequence++; sequence == 0 {
		return 1
	}
	return sequence
}

// ahead is how many messages lie between those that were expected and one; negative if it has been there.
func (sub *subscription) ahead(sequence uint32) int { return int(int32(sequence - sub.expected)) }

// settle notes that a message is settled, and which ones can be acknowledged: those before which all are settled, so that after a
// crash everything from one number on is still to be had.
func (sub *subscription) settle(sequence uint32) bool {
	if sub.done[sequence] || !slices.Contains(sub.open, sequence) {
		return false
	}
	sub.done[sequence] = true
	for len(sub.open) > 0 && sub.done[sub.open[0]] {
		sub.stored = sub.open[0]
		sub.open = sub.open[1:]
		sub.acks = append(sub.acks, sub.stored)
		delete(sub.done, sub.stored)
	}
	return true
}

// monitor asks for the items and has the server monitor them: what is monitored already stays as it is.
func (s *Server) monitor(ctx context.Context, conn *Connection) error {
	items, err := s.items(ctx, conn)
	if err != nil {
		return fmt.Errorf("finding the items: %w", err)
	}
	if len(items) > s.config.MaxItems {
		return fmt.Errorf("%d items are to be monitored, more than %d", len(items), s.config.MaxItems)
	}
	wanted, err := s.keep(items)
	if err != nil {
		return err
	}
	if err := s.drop(ctx, conn); err != nil {
		return fmt.Errorf("no longer monitoring items: %w", err)
	}
	refused, err := s.add(ctx, conn, wanted)
	if err != nil {
		return fmt.Errorf("monitoring items: %w", err)
	}
	conn.items.Store(int64(len(items) - len(refused)))
	s.metrics.items(len(items) - len(refused))
	if len(refused) > 0 {
		s.handler.Refused(refused)
	}
	return s.save()
}

// keep finds which of the items are monitored already, and returns the others. What is monitored and not among the items is marked
// as unwanted by a zero item.
func (s *Server) keep(items []Item) (wanted []Item, err error) {
	for i := range items {
		if err := items[i].check(); err != nil {
			return nil, fmt.Errorf("item %s: %w", items[i].Node, err)
		}
	}
	type key struct {
		publishing time.Duration
		print      fingerprint
	}
	there := map[key][]*monitored{}
	for _, sub := range s.subs {
		for _, m := range sub.items {
			k := key{sub.publishing, m.print}
			there[k] = append(there[k], m)
			m.item = Item{}
		}
	}
	for _, item := range items {
		k := key{item.Publishing, item.fingerprint()}
		if same := there[k]; len(same) > 0 {
			same[0].item, there[k] = item, same[1:]
		} else {
			wanted = append(wanted, item)
		}
	}
	return wanted, nil
}

// drop ends the monitoring of what is unwanted, and subscriptions that have nothing to monitor.
func (s *Server) drop(ctx context.Context, conn *Connection) error {
	for _, sub := range s.subs {
		var ids []uint32
		for handle, m := range sub.items {
			if m.item.Node.IsZero() {
				ids = append(ids, m.id)
				delete(sub.items, handle)
			}
		}
		if len(sub.items) == 0 {
			delete(s.subs, sub.id)
			if err := conn.deleteSubscription(ctx, sub.id); err != nil {
				return err
			}
			continue
		}
		for part := range slices.Chunk(ids, conn.limits.monitor) {
			q := &binary.DeleteMonitoredItemsRequest{SubscriptionID: sub.id, MonitoredItemIDs: part}
			if _, err := do[*binary.DeleteMonitoredItemsResponse](ctx, conn, q); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Connection) deleteSubscription(ctx context.Context, subscription uint32) error {
	_, err := do[*binary.DeleteSubscriptionsResponse](ctx, c, &binary.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{subscription}})
	var status Status
	if errors.As(err, &status) {
		return nil // it is gone
	}
	return err
}

// add has the server monitor items. It returns those that the server refuses.
func (s *Server) add(ctx context.Context, conn *Connection, items []Item) (refused []Refusal, err error) {
	groups := map[time.Duration][]Item{}
	for _, item := range items {
		groups[item.Publishing] = append(groups[item.Publishing], item)
	}
	s.nextHandle += uint32(len(items)) // reserved before they are used: whoever takes over must not use them for others
	handle := s.nextHandle - uint32(len(items))
	if err := s.save(); err != nil {
		return nil, err
	}
	for publishing, group := range groups {
		sub, err := s.subscribe(ctx, conn, publishing)
		if err != nil {
			return nil, err
		}
		for part := range slices.Chunk(group, conn.limits.monitor) {
			no, err := s.create(ctx, conn, sub, part, handle)
			if err != nil {
				return nil, err
			}
			refused = append(refused, no...)
			handle += uint32(len(part))
		}
	}
	return refused, nil
}

// subscribe is the subscription with a publishing interval. It is created if there is none.
func (s *Server) subscribe(ctx context.Context, conn *Connection, publishing time.Duration) (*subscription, error) {
	for _, sub := range s.subs {
		if sub.publishing == publishing {
			return sub, nil
		}
	}
	const fastest = 100 * time.Millisecond // assumed where the choice is the server's
	interval := max(publishing, fastest)
	alive := uint32(max(1, s.config.KeepAlive/interval))
	life := max(3*alive, uint32(min(s.config.Outage/interval, 1<<31)))
	p, err := do[*binary.CreateSubscriptionResponse](ctx, conn, &binary.CreateSubscriptionRequest{
		RequestedPublishingInterval: milliseconds(publishing), RequestedLifetimeCount: life, RequestedMaxKeepAliveCount: alive,
		MaxNotificationsPerPublish: mostInMessage, PublishingEnabled: true})
	if err != nil {
		return nil, fmt.Errorf("creating a subscription: %w", err)
	}
	if before := s.subs[p.SubscriptionID]; before != nil {
		s.abandon(before, "the server has given the number of the subscription to another one")
	}
	sub := newSubscription(p.SubscriptionID, time.Now(), publishing, s.serverID.URI)
	sub.silence = longestSilence(p.RevisedPublishingInterval, p.RevisedMaxKeepAliveCount, interval*time.Duration(alive))
	s.subs[sub.id] = sub
	return sub, nil
}

// mostInMessage is how many values a server is asked to put into a message at most, so that one can be decoded.
const mostInMessage = 20_000

// longestSilence is how long a server may say nothing of a subscription by the interval in milliseconds and the count that it has
// told; what was asked for if these are no such.
func longestSilence(interval float64, count uint32, asked time.Duration) time.Duration {
	const longest = 1000 * time.Hour
	silence := interval * float64(count) * float64(time.Millisecond)
	if !(silence > 0) { // not NaN either
		return asked
	}
	return time.Duration(min(silence, float64(longest)))
}

func newSubscription(id uint32, created time.Time, publishing time.Duration, server string) *subscription {
	return &subscription{id: id, created: created, publishing: publishing, items: map[uint32]*monitored{}, done: map[uint32]bool{},
		expected: 1, heard: time.Now(), alive: time.Now(), origin: fmt.Sprintf("%s/%d/%d", server, id, created.UnixNano())}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// create has the server monitor items in one request, with handles from one on.
func (s *Server) create(ctx context.Context, conn *Connection, sub *subscription, items []Item, handle uint32) (refused []Refusal, err error) {
	const both = 2
	q := &binary.CreateMonitoredItemsRequest{SubscriptionID: sub.id, TimestampsToReturn: both}
	var asked []*monitored
	for _, item := range items {
		create, err := item.request(conn.space, handle)
		if err != nil {
			s.log.Debug("An item cannot be monitored.", zap.Stringer("node", item.Node), zap.Error(err))
			refused = append(refused, Refusal{Item: item, Status: binary.StatusBadNodeIDUnknown})
		} else {
			q.ItemsToCreate = append(q.ItemsToCreate, create)
			asked = append(asked, &monitored{item: item, handle: handle, print: item.fingerprint()})
		}
		handle++
	}
	if len(asked) == 0 {
		return refused, nil
	}
	p, err := do[*binary.CreateMonitoredItemsResponse](ctx, conn, q)
	if err != nil {
		return nil, err
	}
	if len(p.Results) != len(asked) {
		return nil, errCount
	}
	for i, result := range p.Results {
		if result.StatusCode.Bad() {
			refused = append(refused, Refusal{Item: asked[i].item, Status: result.StatusCode})
			continue
		}
		asked[i].id = result.MonitoredItemID
		sub.items[asked[i].handle] = asked[i]
	}
	return refused, nil
}

// handOver gives a message to the handler. It is unsettled from now on. gone tells that the server has ended the subscription.
func (s *Server) handOver(ctx context.Context, conn *Connection, sub *subscription, m *binary.NotificationMessage) (gone error) {
	n := &Notification{Subscription: sub.id, Sequence: m.SequenceNumber, Published: m.PublishTime, server: s, of: sub}
	var unreadable error
	room := s.config.decoded() // of all parts
	for i := range m.NotificationData {
		r := binary.NewReader(m.NotificationData[i].Body, room)
		over, err := s.read(ctx, conn, n, r, m.NotificationData[i].Type.NodeID)
		room = r.Room()
		unreadable, gone = errors.Join(unreadable, err), errors.Join(gone, over)
	}
	n.cost = s.config.decoded() - room
	sub.open = append(sub.open, n.Sequence)
	sub.expected = next(n.Sequence)
	sub.repeated = 0
	s.unsettled++
	s.unsettledBytes += n.cost
	s.largest = max(s.largest, n.cost)
	if unreadable != nil {
		s.lose(Loss{Messages: 1, Since: sub.heard, Reason: fmt.Sprintf("a message of the server cannot be read: %v", unreadable)})
	}
	sub.heard, sub.alive = time.Now(), time.Now()
	if len(n.Values)+len(n.Events) == 0 {
		n.Settle()
		return gone
	}
	s.metrics.notified(n)
	s.handler.Notified(n)
	return gone
}

// read reads one part of a message.
func (s *Server) read(ctx context.Context, conn *Connection, n *Notification, r *binary.Reader, kind binary.NodeID) (gone, err error) {
	switch kind {
	case binary.Numeric(id.DataChangeNotification_Encoding_DefaultBinary):
		var d binary.DataChangeNotification
		if err := r.Decode(&d); err != nil {
			return nil, err
		}
		s.values(ctx, conn, n, &d)
	case binary.Numeric(id.EventNotificationList_Encoding_DefaultBinary):
		var e binary.EventNotificationList
		if err := r.Decode(&e); err != nil {
			return nil, err
		}
		return nil, s.events(ctx, conn, n, r, &e)
	case binary.Numeric(id.StatusChangeNotification_Encoding_DefaultBinary):
		var c binary.StatusChangeNotification
		if err := r.Decode(&c); err != nil {
			return nil, err
		}
		// That the subscription was transferred is told to the session that had it. It is read here too, since it is among what the
		// server sends again.
		if c.Status.Bad() {
			return c.Status, nil
		}
	default:
		s.log.Debug("A part of a message is of an unknown type.", zap.Stringer("type", conn.space.ref(kind)))
	}
	return nil, nil
}

func (s *Server) values(ctx context.Context, conn *Connection, n *Notification, d *binary.DataChangeNotification) {
	n.Values = slices.Grow(n.Values, len(d.MonitoredItems))
	for i := range d.MonitoredItems {
		change := &d.MonitoredItems[i]
		m, known := n.of.items[change.ClientHandle]
		if !known {
			s.metrics.unknown()
			continue
		}
		conn.learnTypes(ctx, &change.Value.Value)
		n.Values = append(n.Values, Value{Key: m.item.Key, Node: m.item.Node, DataValue: conn.space.dataValue(&change.Value)})
	}
}

func (s *Server) events(ctx context.Context, conn *Connection, n *Notification, r *binary.Reader, l *binary.EventNotificationList) error {
	for i := range l.Events {
		told := &l.Events[i]
		m, known := n.of.items[told.ClientHandle]
		if !known || m.item.Event == nil {
			s.metrics.unknown()
			continue
		}
		const size = 64 // bytes of a field, also of one that the event lacks
		if !r.Charge(size * len(m.item.Event.Fields)) {
			return r.Err()
		}
		e := Event{Key: m.item.Key, Node: m.item.Node, Fields: make([]Variant, len(m.item.Event.Fields))}
		for j := range e.Fields {
			if j < len(told.EventFields) {
				conn.learnTypes(ctx, &told.EventFields[j])
				e.Fields[j] = Variant{told.EventFields[j], conn.space}
			}
		}
		n.Events = append(n.Events, e)
	}
	return nil
}

// lose tells of a loss.
func (s *Server) lose(l Loss) {
	s.metrics.lost(l.Messages)
	s.log.Warn("Notifications of the OPC UA server are lost.", zap.Int("messages", l.Messages), zap.String("reason", l.Reason))
	s.handler.Lost(l)
}

// abandon forgets a subscription that the server no longer has.
func (s *Server) abandon(sub *subscription, reason string) {
	delete(s.subs, sub.id)
	s.lose(Loss{Since: sub.heard, Reason: reason})
}

// full tells whether no more messages may come until some are settled.
func (s *Server) full() bool {
	return s.unsettled >= s.config.Window || s.unsettledBytes >= s.config.mostUnsettled()
}

// noteSettled notes what was settled since it was called last.
func (s *Server) noteSettled() {
	s.mu.Lock()
	settled := s.settled
	s.settled = nil
	s.mu.Unlock()
	for _, one := range settled {
		if one.of.settle(one.sequence) {
			s.unsettled--
			s.unsettledBytes -= one.cost
		}
	}
	s.metrics.unsettled(s.unsettled)
}
