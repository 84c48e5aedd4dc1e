package mqtt

import (
	"context"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A Handler decides who may connect. Each gateway has one.
type Handler interface {
	// Connect admits a client, or refuses it with an error that carries an outcome or is a *Refusal. It may take its time:
	// ctx ends when the time for CONNECT is over, and when the server shuts down. The packet is only valid until Connect
	// returns.
	Connect(ctx context.Context, c *Conn, connect *packet.Connect) (Session, error)
}

// A Session is an admitted connection as its handler sees it. The connection calls Publish, Subscribe and Unsubscribe one
// after the other, in the order of the packets; then Closed, once, and nothing after it.
type Session interface {
	// Publish takes a message of QoS 0 or 1, with its topic in full where the client used an alias. The packet is only
	// valid until Publish returns. Publish calls done exactly once, from any goroutine, perhaps before it returns; done does not
	// block. While Publish blocks, nothing is read from the client: that is the back-pressure.
	Publish(p *packet.Publish, done func(Answer))
	// Subscribe judges one subscription of a SUBSCRIBE packet: the granted QoS, or why not. id is the subscription identifier, 0
	// for none, properties are the user properties of the packet. Repeating a subscription replaces it. The filter and the properties
	// are only valid until Subscribe returns.
	Subscribe(s packet.Subscription, id uint32, properties packet.UserProperties) packet.Reason
	// Unsubscribe ends a subscription.
	Unsubscribe(filter string) packet.Reason
	// Closed says that the connection has ended. What was published before may still be without an answer.
	Closed(e End)
}

// An Answer is what became of a PUBLISH. A reason that refuses goes to the client in the words of its protocol.
//
// With QoS 1 in version 5 it is a PUBACK. Version 3.1.1 has no words for a refusal. There a message that may be taken the next
// time closes the connection, so that the client sends it again; one that never can be is acknowledged, as section 3.3.5 allows,
// since the client would send it again for ever and nothing after it; see Config.CloseOnRefusal. With QoS 0 the client is told
// nothing.
type Answer struct {
	Reason packet.Reason
	Text   string // reason string for version 5; may be ""
	Final  bool   // a message that is refused would be refused again
}

// An End is how a connection ended.
type End struct {
	// Normal is true if the client sent a DISCONNECT that discards its will (section 3.14.4).
	Normal bool
	// Reason is what was sent to the client, or what it would have been in version 5, or what the client sent.
	Reason packet.Reason
}

// A Refusal is an error of Handler.Connect for what no outcome says.
type Refusal struct {
	Reason packet.Reason // of version 5
	Return byte          // of version 3.1.1: 1 to 5
	Text   string        // reason string for version 5; nothing secret
}

func (r *Refusal) Error() string { return r.Text }
