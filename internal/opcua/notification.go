package opcua

import (
	"crypto/sha1"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// A Handler is told what happens. Its methods are called one after the other, from one goroutine, and must not block.
type Handler interface {
	// Connected is called after each connect, when the items are monitored.
	Connected(Info)
	// Disconnected is called when the connection that Connected told of is gone, and not when an attempt to connect fails.
	Disconnected(error)
	// Notified hands a message of the server over. It is the handler's until it is settled. Messages of a subscription come in
	// their order, those that were lost on the way included. They may come before Connected.
	Notified(*Notification)
	// Lost tells that notifications are gone.
	Lost(Loss)
	// Refused tells of items that the server does not monitor. The others are. It is called before Connected, and after
	// [Server.Refresh].
	Refused([]Refusal)
}

// Info is about a connection.
type Info struct {
	ServerURI  string   // the ApplicationURI of the server, which may differ from what the URL suggests
	Namespaces []string // by index
	Items      int      // that are monitored
	Resumed    bool     // the subscriptions of an earlier connection go on
}

// A Loss is a gap in what a server told.
type Loss struct {
	Messages int       // that are missing; 0 is an unknown number, which may be none
	Since    time.Time // when the last message before the gap came
	Reason   string    // for people
}

// A Notification is one message of the server: values and events that it sent together.
type Notification struct {
	Subscription uint32
	Sequence     uint32 // within the subscription
	Published    time.Time
	Values       []Value
	Events       []Event

	server *Server
	of     *subscription
	cost   int // bytes that it takes, about
}

// Settle says that everything in the message is stored: it is acknowledged to the server, which forgets it. It may be called
// from any goroutine, also within Notified, once. What is settled after Run has ended is noted for whoever runs next.
func (n *Notification) Settle() { n.server.settle(settlement{n.of, n.Sequence, n.cost}) }

// ID is a UUID for the value or event with an index, counted through Values and then Events. It is the same each time the
// server sends the message, also to the process that takes over after this one was killed.
func (n *Notification) ID(index int) string {
	name := make([]byte, 0, 256)
	name = append(append(name, uuid.NameSpaceURL[:]...), n.of.origin...)
	name = strconv.AppendUint(append(name, '/'), uint64(n.Sequence), 10)
	name = strconv.AppendInt(append(name, '/'), int64(index), 10)
	sum := sha1.Sum(name) // as version 5 of a UUID has it, without the hash of uuid.NewSHA1, which is made anew each time
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x50, id[8]&0x3f|0x80
	return id.String()
}

// A Value is the value of a node, with its quality and times.
type Value struct {
	Key  any // of the item
	Node NodeRef
	DataValue
}

// An Event is an event of a node.
type Event struct {
	Key    any // of the item
	Node   NodeRef
	Fields []Variant // as in EventFilter.Fields; null where the event has no such field
}
