package mqtt

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// filter makes a subscription of a SUBSCRIBE.
func filter(s string, options byte) []byte { return append(text(s), options) }

func TestPacketsAreAnswered(t *testing.T) {
	none := properties()
	for name, c := range map[string]struct {
		version packet.Version
		sent    []byte
		want    []byte
	}{
		"ping":                        {4, frame(0xC0), []byte{0xD0, 0}},
		"publish, 3.1.1":              {4, publication(4, 7, "t", "x"), []byte{0x40, 2, 0, 7}},
		"publish, 5":                  {5, publication(5, 7, "t", "x"), []byte{0x40, 2, 0, 7}},
		"publish an empty message":    {5, publication(5, 0xFFFF, "t", ""), []byte{0x40, 2, 0xFF, 0xFF}},
		"publish with retain":         {5, frame(0x33, text("t"), number(7), none), []byte{0x40, 2, 0, 7}},
		"publish again":               {4, frame(0x3A, text("t"), number(7)), []byte{0x40, 2, 0, 7}},
		"subscribe, 3.1.1":            {4, frame(0x82, number(8), filter("a", 1), filter("b/#", 0)), []byte{0x90, 4, 0, 8, 0, 0}},
		"subscribe, 5":                {5, frame(0x82, number(8), none, filter("a", 1), filter("b/#", 0)), []byte{0x90, 5, 0, 8, 0, 0, 0}},
		"subscribe, refused, 3.1.1":   {4, frame(0x82, number(8), filter("no", 0)), []byte{0x90, 3, 0, 8, 0x80}},
		"subscribe, refused, 5":       {5, frame(0x82, number(8), none, filter("no", 0)), []byte{0x90, 4, 0, 8, 0, 0x8F}},
		"subscribe, identifier":       {5, frame(0x82, number(8), properties(property(0x0B, 7)), filter("id", 0)), []byte{0x90, 4, 0, 8, 0, 7}},
		"unsubscribe, 3.1.1":          {4, frame(0xA2, number(9), text("a")), []byte{0xB0, 2, 0, 9}},
		"unsubscribe, 5":              {5, frame(0xA2, number(9), none, text("a"), text("b")), []byte{0xB0, 5, 0, 9, 0, 0, 0}},
		"publish of QoS 0, then ping": {5, append(publication(5, 0, "t", "x"), frame(0xC0)...), []byte{0xD0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				w.gateway.subscribe = func(s packet.Subscription, id uint32) packet.Reason {
					if s.Filter == "no" {
						return packet.TopicFilterInvalid
					}
					return packet.Reason(id)
				}
				client, visit := w.admitted(c.version)
				client.send(c.sent)
				client.expect(c.want)
				synctest.Wait()
				if ends := visit.ends(); len(ends) > 0 {
					t.Errorf("ended: %v", ends)
				}
			})
		})
	}
}

func TestSessionSeesPackets(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c, visit := w.admitted(packet.V5)
		c.send(publication(5, 0, "a/b", "one"), publication(5, 1, "a/b", "two"),
			frame(0x82, number(1), properties(), filter("f/#", 0), filter("g/+", 1)), frame(0xA2, number(2), properties(), text("f/#")))
		c.expect([]byte{0x40, 2, 0, 1}, []byte{0x90, 5, 0, 1, 0, 0, 0}, []byte{0xB0, 4, 0, 2, 0, 0})
		if diff := cmp.Diff([]string{"a/b one", "a/b two"}, visit.messages()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"f/#", "g/+", "-f/#"}, visit.filters); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConnectionEnds(t *testing.T) {
	none := properties()
	v5, v4 := packet.V5, packet.V311
	for name, c := range map[string]struct {
		version packet.Version
		sent    []byte
		end     End
		quiet   bool // the client is not told
	}{
		"disconnect, 3.1.1":           {v4, frame(0xE0), End{Normal: true}, true},
		"disconnect, 5":               {v5, frame(0xE0), End{Normal: true}, true},
		"disconnect, 5, with reason":  {v5, frame(0xE0, []byte{0}), End{Normal: true}, true},
		"disconnect with will":        {v5, frame(0xE0, []byte{4}), End{Reason: packet.DisconnectWithWill}, true},
		"disconnect with error":       {v5, frame(0xE0, []byte{0x80}), End{Reason: packet.UnspecifiedError}, true},
		"disconnect with expiry":      {v5, frame(0xE0, []byte{0}, properties(property(0x11, 0, 0, 0, 1))), End{Reason: packet.ProtocolError}, false},
		"disconnect with body, 3.1.1": {v4, frame(0xE0, []byte{0}), End{Reason: packet.MalformedPacket}, true},
		"second CONNECT":              {v5, hello{version: v5, flags: 2}.bytes(), End{Reason: packet.ProtocolError}, false},
		"second CONNECT, 3.1.1":       {v4, hello{version: v4, flags: 2}.bytes(), End{Reason: packet.ProtocolError}, false},
		"CONNACK":                     {v5, frame(0x20, []byte{0, 0, 0}), End{Reason: packet.ProtocolError}, false},
		"SUBACK":                      {v5, frame(0x90, number(1), none, []byte{0}), End{Reason: packet.ProtocolError}, false},
		"UNSUBACK":                    {v5, frame(0xB0, number(1), none, []byte{0}), End{Reason: packet.ProtocolError}, false},
		"PINGRESP":                    {v5, frame(0xD0), End{Reason: packet.ProtocolError}, false},
		"PUBACK":                      {v5, frame(0x40, number(1)), End{Reason: packet.ProtocolError}, false},
		"PUBREC":                      {v5, frame(0x50, number(1)), End{Reason: packet.ProtocolError}, false},
		"PUBREL":                      {v5, frame(0x62, number(1)), End{Reason: packet.ProtocolError}, false},
		"PUBCOMP":                     {v5, frame(0x70, number(1)), End{Reason: packet.ProtocolError}, false},
		"PUBREL, 3.1.1":               {v4, frame(0x62, number(1)), End{Reason: packet.ProtocolError}, false},
		"AUTH":                        {v5, frame(0xF0, []byte{0x19}, properties(property(0x15, text("x")...))), End{Reason: packet.ProtocolError}, false},
		"AUTH, 3.1.1":                 {v4, frame(0xF0), End{Reason: packet.MalformedPacket}, false},
		"type 0":                      {v5, frame(0x00), End{Reason: packet.MalformedPacket}, false},
		"flags":                       {v5, frame(0xC1), End{Reason: packet.MalformedPacket}, false},
		"ping with body":              {v5, frame(0xC0, []byte{0}), End{Reason: packet.MalformedPacket}, false},
		"length of five bytes":        {v5, []byte{0xC0, 0x80, 0x80, 0x80, 0x80, 1}, End{Reason: packet.MalformedPacket}, false},
		"too large":                   {v5, []byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, End{Reason: packet.PacketTooLarge}, false},
		"QoS 2":                       {v5, frame(0x34, text("t"), number(1), none), End{Reason: packet.QoSNotSupported}, false},
		"QoS 2, 3.1.1":                {v4, frame(0x34, text("t"), number(1)), End{Reason: packet.QoSNotSupported}, false},
		"QoS 3":                       {v5, frame(0x36, text("t"), number(1), none), End{Reason: packet.MalformedPacket}, false},
		"packet identifier 0":         {v5, frame(0x32, text("t"), number(0), none), End{Reason: packet.ProtocolError}, false},
		"wildcard in topic":           {v5, publication(v5, 0, "a/#", ""), End{Reason: packet.MalformedPacket}, false},
		"no topic":                    {v5, publication(v5, 0, "", ""), End{Reason: packet.ProtocolError}, false},
		"no topic, 3.1.1":             {v4, publication(v4, 0, "", ""), End{Reason: packet.MalformedPacket}, false},
		"alias 0":                     {v5, publication(v5, 0, "t", "", property(0x23, 0, 0)), End{Reason: packet.TopicAliasInvalid}, false},
		"alias beyond maximum":        {v5, publication(v5, 0, "t", "", property(0x23, 0, 17)), End{Reason: packet.TopicAliasInvalid}, false},
		"alias unknown":               {v5, publication(v5, 0, "", "", property(0x23, 0, 1)), End{Reason: packet.ProtocolError}, false},
		"alias too long":              {v5, publication(v5, 0, strings.Repeat("t", 4097), "", property(0x23, 0, 1)), End{Reason: packet.QuotaExceeded}, false},
		"subscribe to nothing":        {v5, frame(0x82, number(1), none), End{Reason: packet.ProtocolError}, false},
		"subscribe, cut":              {v5, frame(0x82, number(1), none, text("a")), End{Reason: packet.MalformedPacket}, false},
		"subscribe, bad filter":       {v5, frame(0x82, number(1), none, filter("a/#/b", 0)), End{Reason: packet.MalformedPacket}, false},
		"unsubscribe from nothing":    {v5, frame(0xA2, number(1), none), End{Reason: packet.ProtocolError}, false},
		"unsubscribe, cut":            {v5, frame(0xA2, number(1), none, []byte{0}), End{Reason: packet.MalformedPacket}, false},
		"a message that is cut":       {v4, frame(0x32, text("t"), []byte{0}), End{Reason: packet.MalformedPacket}, false},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				client, visit := w.admitted(c.version)
				other, stranger := w.admitted(c.version)
				client.send(c.sent)
				if c.quiet || c.version == v4 {
					client.expectEnd()
				} else {
					client.expectDisconnect(c.end.Reason)
				}
				synctest.Wait()
				if diff := cmp.Diff([]End{c.end}, visit.ends()); diff != "" {
					t.Error(diff)
				}
				other.send(frame(0xC0))
				other.expect([]byte{0xD0, 0})
				if len(stranger.ends()) > 0 {
					t.Error("the neighbour was harmed")
				}
			})
		})
	}
}

func TestDisconnectMayChangeExpiry(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{property(0x11, 0, 0, 0, 9)}}.bytes())
		c.receive()
		c.send(frame(0xE0, []byte{0}, properties(property(0x11, 0, 0, 0, 1))))
		c.expectEnd()
		synctest.Wait()
		if diff := cmp.Diff([]End{{Normal: true}}, w.gateway.all()[0].ends()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestClientIsLost(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(v)
			_ = c.link.Close()
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: packet.UnspecifiedError}}, visit.ends()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestKeepAlive(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c := w.call(v)
			c.send(hello{version: v, flags: 2, keepAlive: 10, id: "me"}.bytes())
			c.receive()
			for range 20 {
				time.Sleep(15*time.Second - time.Nanosecond) // in the bubble
				c.send(frame(0xC0))
				c.expect([]byte{0xD0, 0})
			}
			last := time.Now()
			if v == packet.V5 {
				c.expectDisconnect(packet.KeepAliveTimeout)
			} else {
				c.expectEnd()
			}
			if silence := time.Since(last); silence < 15*time.Second || silence > 16*time.Second {
				t.Errorf("disconnected after %v", silence)
			}
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: packet.KeepAliveTimeout}}, w.gateway.all()[0].ends()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

// Only whole packets count.
func TestKeepAliveIsNotFooled(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		c := w.call(packet.V311)
		c.send(hello{version: packet.V311, flags: 2, keepAlive: 10, id: "me"}.bytes())
		c.receive()
		started, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			for _, b := range publication(packet.V311, 1, "topic", strings.Repeat("x", 100)) {
				if _, err := c.link.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(5 * time.Second) // in the bubble
			}
		}()
		c.expectEnd()
		if took := time.Since(started); took > 16*time.Second {
			t.Errorf("disconnected after %v", took)
		}
		<-done
	})
}

func TestKeepAliveThatIsNoneOrAbsurd(t *testing.T) {
	f := func(v packet.Version, asked uint16, want time.Duration) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			c := w.call(v)
			c.send(hello{version: v, flags: 2, keepAlive: asked, id: "me"}.bytes())
			c.receive()
			started := time.Now()
			for {
				if _, err := c.next(); err != nil {
					break
				}
			}
			if took := time.Since(started); took < want || took > want+want/16 {
				t.Errorf("keep-alive %d in version %d: closed after %v, want %v", asked, v, took, want)
			}
		})
	}
	f(packet.V5, 0, 90*time.Second)
	f(packet.V5, 65535, 30*time.Minute)
	f(packet.V311, 0, 30*time.Minute)
	f(packet.V311, 65535, 30*time.Minute)
	f(packet.V311, 1, 1500*time.Millisecond)
}

func TestDisconnectByHandler(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c, visit := w.admitted(v)
			go visit.conn.Disconnect(packet.NotAuthorized, "the device is disabled")
			go visit.conn.Disconnect(packet.NotAuthorized, "the device is disabled")
			if v == packet.V5 {
				c.expectDisconnect(packet.NotAuthorized)
			} else {
				c.expectEnd()
			}
			synctest.Wait()
			visit.conn.Disconnect(packet.ServerBusy, "too late")
			if visit.conn.Deliver(&packet.Publish{Topic: "too late"}) {
				t.Error("a message was taken after the end")
			}
			synctest.Wait()
			if diff := cmp.Diff([]End{{Reason: packet.NotAuthorized}}, visit.ends()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestHandlerPanics(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.publish = func(_ *visit, p *packet.Publish, done func(Answer)) {
			if string(p.Payload) == "bad" {
				panic("bad")
			}
			done(Answer{})
		}
		c, visit := w.admitted(packet.V5)
		other, _ := w.admitted(packet.V5)
		c.send(publication(5, 0, "t", "bad"))
		d := c.receive()
		if d[0] != 0xE0 || d[2] != 0x80 {
			t.Errorf("% x", d)
		}
		c.expectEnd()
		other.send(publication(5, 1, "t", "good"))
		other.expect([]byte{0x40, 2, 0, 1})
		if diff := cmp.Diff([]End{{Reason: packet.UnspecifiedError}}, visit.ends()); diff != "" {
			t.Error(diff)
		}
		if n := w.server.metrics.panics.Load(); n != 1 {
			t.Errorf("%d panics were counted", n)
		}
	})
}

// Every packet is cut at every byte, and the connection is closed there.
func TestPacketsAreCut(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		none := properties()
		if v == packet.V311 {
			none = nil
		}
		for _, p := range [][]byte{
			hello{version: v, flags: 0xC6, id: "me", rest: [][]byte{none, text("t"), text("bye"), text("user"), text("secret")}}.bytes(),
			publication(v, 1, "topic", "payload"),
			frame(0x82, number(1), none, filter("a/#", 0), filter("b", 1)),
			frame(0xA2, number(1), none, text("a/#"), text("b")),
			frame(0xE0, []byte{4}, none),
		} {
			inWorld(t, func(c *Config) { c.ConnectBurst = 10_000 }, func(w *world) {
				for n := range len(p) {
					c := w.call(v)
					if p[0] != 0x10 {
						c.login()
					}
					_, _ = c.link.Write(p[:n]) // which may end the connection
					_ = c.link.Close()
				}
				synctest.Wait()
				for _, visit := range w.gateway.all() {
					if len(visit.ends()) != 1 || len(visit.messages()) > 0 {
						t.Errorf("ended: %v, published: %q", visit.ends(), visit.messages())
					}
				}
				if n := w.server.metrics.panics.Load(); n > 0 {
					t.Errorf("%d panics", n)
				}
			})
		}
	})
}

func TestHandlerPanicsInClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(DefaultConfig(), sore{}, nil)
		l := newPipes()
		serve(t, s, l)
		mine, theirs := net.Pipe()
		l.conns <- theirs
		c := newClient(t, packet.V311, mine)
		c.login()
		c.send(frame(0xE0))
		c.expectEnd()
		synctest.Wait()
		if n := s.metrics.panics.Load(); n != 1 {
			t.Errorf("%d panics were counted", n)
		}
		if admitted, _ := s.limits.count(); admitted != 0 {
			t.Errorf("%d connections are counted as admitted", admitted)
		}
	})
}

// sore is a handler whose sessions panic at their end.
type sore struct{ answering }

func (s sore) Connect(context.Context, *Conn, *packet.Connect) (Session, error) { return s, nil }
func (sore) Closed(End)                                                         { panic("ouch") }

// A link that panics breaks its own connection only.
func TestLinkPanics(t *testing.T) {
	s := NewServer(DefaultConfig(), &gateway{}, nil)
	mine, theirs := net.Pipe()
	defer mine.Close()
	c := newConn(s, brittle{theirs})
	c.version, c.out.open = packet.V5, true
	c.Deliver(&packet.Publish{Topic: "t"})
	waitFor(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.broken && !c.out.writing
	})
	if n := s.metrics.panics.Load(); n != 1 {
		t.Errorf("%d panics were counted", n)
	}
}

type brittle struct{ net.Conn }

func (brittle) Write([]byte) (int, error) { panic("crack") }
