package mqtt

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// understand decodes a packet of version 5 with a decoder that nobody here wrote.
func understand[P any](tb testing.TB, p []byte) P {
	tb.Helper()
	decoded, err := packets.ReadPacket(bytes.NewReader(p))
	if err != nil {
		tb.Fatalf("% x: %v", p, err)
	}
	content, ok := decoded.Content.(P)
	if !ok {
		tb.Fatalf("% x is a %T", p, decoded.Content)
	}
	return content
}

// expectDisconnect expects a DISCONNECT of version 5 with a reason string, and the end.
func (c *client) expectDisconnect(r packet.Reason) {
	c.tb.Helper()
	d := understand[*packets.Disconnect](c.tb, c.receive())
	if packet.Reason(d.ReasonCode) != r || d.Properties.ReasonString == "" {
		c.tb.Fatalf("disconnected with 0x%02x, %q; want 0x%02x", d.ReasonCode, d.Properties.ReasonString, r)
	}
	c.expectEnd()
}

// expectRefusal expects a CONNACK that refuses, and the end.
func (c *client) expectRefusal(r packet.Reason, code byte) {
	c.tb.Helper()
	if c.version != packet.V5 {
		c.expect([]byte{0x20, 2, 0, code})
		c.expectEnd()
		return
	}
	connack := understand[*packets.Connack](c.tb, c.receive())
	if packet.Reason(connack.ReasonCode) != r || connack.SessionPresent {
		c.tb.Fatalf("refused with 0x%02x, want 0x%02x", connack.ReasonCode, r)
	}
	c.expectEnd()
}

func TestConnack311(t *testing.T) {
	for name, flags := range map[string]byte{"clean session": 2, "stored session": 0} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				c := w.call(packet.V311)
				c.send(hello{version: packet.V311, flags: flags, keepAlive: 30, id: "me"}.bytes())
				c.expect([]byte{0x20, 2, 0, 0})
			})
		})
	}
}

func TestConnack5(t *testing.T) {
	inWorld(t, func(c *Config) { c.MaxPacket, c.ReceiveMaximum, c.TopicAliasMaximum = 50_000, 7, 3 }, func(w *world) {
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, keepAlive: 30, id: "me", properties: [][]byte{property(0x11, 0, 0, 0, 9)}}.bytes())
		connack := understand[*packets.Connack](w, c.receive())
		p := connack.Properties
		if connack.SessionPresent || connack.ReasonCode != 0 {
			t.Errorf("session present %v, reason %d", connack.SessionPresent, connack.ReasonCode)
		}
		for name, got := range map[string]bool{
			"receive maximum":      *p.ReceiveMaximum == 7,
			"maximum QoS":          *p.MaximumQOS == 1,
			"maximum packet size":  *p.MaximumPacketSize == 50_000,
			"topic alias maximum":  *p.TopicAliasMaximum == 3,
			"shared subscriptions": *p.SharedSubAvailable == 0,
			"session expiry":       *p.SessionExpiryInterval == 0,
			"retain":               *p.RetainAvailable == 0,
			"no wildcards":         p.WildcardSubAvailable == nil,
			"no identifiers":       p.SubIDAvailable == nil,
			"no server keep-alive": p.ServerKeepAlive == nil,
			"no client identifier": p.AssignedClientID == "",
			"no reason string":     p.ReasonString == "",
		} {
			if !got {
				t.Errorf("the CONNACK is wrong about %s", name)
			}
		}
	})
}

func TestConnackTellsKeepAlive(t *testing.T) {
	f := func(asked uint16, told int) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			c := w.call(packet.V5)
			c.send(hello{version: packet.V5, flags: 2, keepAlive: asked, id: "me"}.bytes())
			got := -1
			if p := understand[*packets.Connack](w, c.receive()).Properties; p.ServerKeepAlive != nil {
				got = int(*p.ServerKeepAlive)
			}
			if got != told {
				t.Errorf("asked for %d, told %d, want %d", asked, got, told)
			}
		})
	}
	f(0, 60)
	f(1, -1)
	f(1200, -1)
	f(1201, 1200)
	f(65535, 1200)
}

func TestConnackAssignsClientID(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		seen := map[string]bool{}
		for range 2 {
			c := w.call(packet.V5)
			c.send(hello{version: packet.V5, flags: 2}.bytes())
			id := understand[*packets.Connack](w, c.receive()).Properties.AssignedClientID
			visits := w.gateway.all()
			if id == "" || seen[id] || visits[len(visits)-1].id != id {
				t.Errorf("assigned %q", id)
			}
			seen[id] = true
		}
		// Version 3.1.1 has no words for it, but the handler gets one all the same.
		c := w.call(packet.V311)
		c.send(hello{version: packet.V311, flags: 2}.bytes())
		c.expect([]byte{0x20, 2, 0, 0})
		if visits := w.gateway.all(); visits[2].id == "" {
			t.Error("the handler got no client identifier")
		}
	})
}

func TestHandlerSeesConnect(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			var got []string
			w.gateway.connect = func(_ context.Context, c *Conn, p *packet.Connect) error {
				got = append(got, strings.Clone(p.ClientID), strings.Clone(p.Username), string(p.Password), strings.Clone(p.Will.Topic), string(p.Will.Payload), c.Remote())
				if c.Version() != v || c.TLS().Chain != nil {
					t.Errorf("version %d, certificates %v", c.Version(), c.TLS().Chain)
				}
				return nil
			}
			c := w.call(v)
			will := [][]byte{text("gone"), text("bye")}
			if v == packet.V5 {
				will = append([][]byte{properties()}, will...)
			}
			c.send(hello{version: v, flags: 0xC6, id: "me", rest: append(will, text("user"), text("secret"))}.bytes())
			if p := c.receive(); p[3] != 0 {
				t.Errorf("refused: % x", p)
			}
			if all := strings.Join(got, " "); all != "me user secret gone bye pipe" {
				t.Errorf("the handler saw %q", all)
			}
		})
	})
}

// Whoever reads the memory of a connected client's connection finds no password, however the CONNECT arrived.
func TestPasswordIsForgotten(t *testing.T) {
	f := func(what, id string, admit bool, pieces int, after ...[]byte) {
		t.Helper()
		versions(t, func(t *testing.T, v packet.Version) {
			inWorld(t, nil, func(w *world) {
				var conn *Conn
				w.gateway.connect = func(_ context.Context, c *Conn, p *packet.Connect) error {
					if conn = c; string(p.Password) != "secret" {
						t.Errorf("%s: the handler saw %q", what, p.Password)
					}
					if !admit {
						return outcome.New(outcome.Unauthenticated, "")
					}
					return nil
				}
				c := w.call(v)
				sent := slices.Concat(append([][]byte{hello{version: v, flags: 0xC2, id: id, rest: [][]byte{text("user"), text("secret")}}.bytes()}, after...)...)
				go func() {
					for piece := range slices.Chunk(sent, (len(sent)+pieces-1)/pieces) {
						if _, err := c.link.Write(piece); err != nil {
							return // a refused client is not read any more
						}
					}
				}()
				c.receive()
				synctest.Wait()
				for _, buffer := range [][]byte{conn.in.small[:], conn.in.buf} {
					if bytes.Contains(buffer, []byte("secret")) {
						t.Errorf("%s: the password is still in a buffer of %d bytes", what, len(buffer))
					}
				}
			})
		})
	}
	for _, admit := range []bool{true, false} {
		f("a small packet", "id", admit, 1)
		f("byte by byte", "id", admit, 60)
		f("a page", strings.Repeat("i", 1000), admit, 1)
		f("a page in pieces", strings.Repeat("i", 1000), admit, 7)
		f("a large packet", strings.Repeat("i", 9000), admit, 3)
		f("more behind it", "id", admit, 1, []byte{0xC0, 0}, []byte{0xC0})
	}
}

func TestConnectRefused(t *testing.T) {
	v5 := func(h hello) []byte { h.version = packet.V5; return h.bytes() }
	v4 := func(h hello) []byte { h.version = packet.V311; return h.bytes() }
	level := func(name string, level byte) []byte {
		return frame(0x10, text(name), []byte{level, 2, 0, 0}, text("me"))
	}
	const words, silence = true, false
	for name, c := range map[string]struct {
		sent    []byte
		version packet.Version
		reason  packet.Reason
		code    byte
		answers bool
	}{
		"5: authentication method": {v5(hello{flags: 2, properties: [][]byte{property(0x15, text("SCRAM")...)}}), 5, packet.BadAuthenticationMethod, 0, words},
		"5: will of QoS 2":         {v5(hello{flags: 0x16, rest: [][]byte{properties(), text("t"), text("")}}), 5, packet.QoSNotSupported, 0, words},
		"5: reserved flag":         {v5(hello{flags: 3}), 5, packet.MalformedPacket, 0, words},
		"5: property twice":        {v5(hello{flags: 2, properties: [][]byte{property(0x21, 0, 1), property(0x21, 0, 1)}}), 5, packet.ProtocolError, 0, words},
		"5: trailing byte":         {v5(hello{flags: 2, id: "me", rest: [][]byte{{0}}}), 5, packet.MalformedPacket, 0, words},
		"5: too large":             {v5(hello{flags: 2, id: strings.Repeat("x", 20_000)}), 5, packet.PacketTooLarge, 0, words},
		"5: takes no CONNACK":      {v5(hello{flags: 2, id: "me", properties: [][]byte{property(0x27, 0, 0, 0, 22)}}), 5, packet.PacketTooLarge, 0, words},
		"level 6":                  {level("MQTT", 6), 5, packet.UnsupportedProtocolVersion, 0, words},
		"level 3":                  {level("MQTT", 3), 4, 0, 1, words},
		"mosquitto as a bridge":    {level("MQTT", 0x84), 4, 0, 1, words},
		"3.1":                      {level("MQIsdp", 3), 4, 0, 1, words},
		"3.1.1: no id, no clean":   {v4(hello{flags: 0}), 4, 0, 2, words},
		"3.1.1: reserved flag":     {v4(hello{flags: 3}), 4, 0, 0, silence},
		"3.1.1: too large":         {v4(hello{flags: 2, id: strings.Repeat("x", 20_000)}), 4, 0, 0, silence},
		"not MQTT at all":          {level("HTTP", 5), 5, 0, 0, silence},
		"no protocol":              {frame(0x10), 5, 0, 0, silence},
		"type 0":                   {frame(0x00), 5, 0, 0, silence},
		"flags":                    {frame(0x11, text("MQTT"), []byte{5, 2, 0, 0}), 5, 0, 0, silence},
		"length of five bytes":     {[]byte{0x10, 0x80, 0x80, 0x80, 0x80, 1}, 5, 0, 0, silence},
		"256 MiB":                  {[]byte{0x10, 0xFF, 0xFF, 0xFF, 0x7F, 0, 4, 'M', 'Q', 'T', 'T', 5}, 5, packet.PacketTooLarge, 0, words},
		"PINGREQ first":            {frame(0xC0), 5, 0, 0, silence},
		"PUBLISH first":            {publication(packet.V5, 1, "t", "x"), 5, 0, 0, silence},
		"CONNACK first":            {frame(0x20, []byte{0, 0, 0}), 5, 0, 0, silence},
		"AUTH first":               {frame(0xF0, []byte{0x18}, properties(property(0x15, text("SCRAM")...))), 5, 0, 0, silence},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				client := w.call(c.version)
				go func() { _, _ = client.link.Write(c.sent) }() // which the server need not read to its end
				if c.answers {
					client.expectRefusal(c.reason, c.code)
				} else {
					client.expectEnd()
				}
				if len(w.gateway.all()) > 0 {
					t.Error("the handler admitted it")
				}
			})
		})
	}
}

func TestConnectRefusedByHandler(t *testing.T) {
	f := func(err error, r packet.Reason, code byte, text string) {
		t.Helper()
		versions(t, func(t *testing.T, v packet.Version) {
			inWorld(t, nil, func(w *world) {
				w.gateway.connect = func(context.Context, *Conn, *packet.Connect) error { return err }
				c := w.call(v)
				c.send(hello{version: v, flags: 2, id: "me"}.bytes())
				if v == packet.V311 {
					c.expectRefusal(r, code)
					return
				}
				connack := understand[*packets.Connack](w, c.receive())
				if packet.Reason(connack.ReasonCode) != r || connack.Properties.ReasonString != text {
					t.Errorf("0x%02x %q, want 0x%02x %q", connack.ReasonCode, connack.Properties.ReasonString, r, text)
				}
				c.expectEnd()
			})
		})
	}
	f(outcome.New(outcome.Unauthenticated, "authentication failed"), packet.BadUsernameOrPassword, 4, "authentication failed")
	f(outcome.Wrap(outcome.Unavailable, "try again", errRefused), packet.ServerUnavailable, 3, "try again")
	f(outcome.New(outcome.Unauthenticated, ""), packet.BadUsernameOrPassword, 4, "the log-in is not accepted")
	f(outcome.New(outcome.Overloaded, ""), packet.ServerBusy, 3, "too much is under way; try again later")
	f(context.DeadlineExceeded, packet.ServerUnavailable, 3, "nobody can judge the log-in now; try again later")
	f(errRefused, packet.UnspecifiedError, 3, "the server could not admit the client")
	f(&Refusal{packet.Banned, 5, "go away"}, packet.Banned, 5, "go away")
	f(outcome.New(outcome.Unauthenticated, strings.Repeat("ä", 1000)), packet.BadUsernameOrPassword, 4, strings.Repeat("ä", 128))
}

// A client that wants no problem information gets no reason string, and one that takes only small packets gets none that is
// too large.
func TestRefusalIsAsBriefAsTheClientWants(t *testing.T) {
	f := func(limit []byte, want []byte) {
		t.Helper()
		inWorld(t, nil, func(w *world) {
			w.gateway.connect = func(context.Context, *Conn, *packet.Connect) error {
				return outcome.New(outcome.Unauthenticated, "authentication failed")
			}
			c := w.call(packet.V5)
			c.send(hello{version: packet.V5, flags: 2, id: "me", properties: [][]byte{limit}}.bytes())
			if want != nil {
				c.expect(want)
			}
			c.expectEnd()
		})
	}
	f(property(0x17, 0), []byte{0x20, 3, 0, 0x86, 0})
	f(property(0x27, 0, 0, 0, 25), []byte{0x20, 3, 0, 0x86, 0})
	f(property(0x27, 0, 0, 0, 5), []byte{0x20, 3, 0, 0x95, 0}) // it takes no CONNACK of success either
	f(property(0x27, 0, 0, 0, 4), nil)
}

func TestSilentClientIsClosed(t *testing.T) {
	for name, sent := range map[string][]byte{
		"nothing":           nil,
		"half a CONNECT":    hello{version: packet.V5, id: "me"}.bytes()[:7],
		"a length, no more": {0x10, 0x80},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				started := time.Now()
				c := w.call(packet.V5)
				c.send(sent)
				c.expectEnd()
				if took := time.Since(started); took != w.config.ConnectTimeout {
					t.Errorf("closed after %v", took)
				}
			})
		})
	}
}

func TestSlowHandlerIsCutOff(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.connect = func(ctx context.Context, _ *Conn, _ *packet.Connect) error {
			<-ctx.Done()
			return ctx.Err()
		}
		started := time.Now()
		c := w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me"}.bytes())
		c.expectRefusal(packet.ServerUnavailable, 0)
		if took := time.Since(started); took != w.config.ConnectTimeout {
			t.Errorf("refused after %v", took)
		}
	})
}

// What a client sends before its CONNACK is handled after it.
func TestEarlyPackets(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			c := w.call(v)
			go c.send(hello{version: v, flags: 2, id: "me"}.bytes(), publication(v, 1, "t", strings.Repeat("x", 600)), frame(0xC0))
			if p := c.receive(); p[0] != 0x20 || p[3] != 0 {
				t.Fatalf("% x", p)
			}
			c.expect([]byte{0x40, 2, 0, 1}, []byte{0xD0, 0})
		})
	})
}

func TestDisconnectBeforeConnack(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.gateway.connect = func(_ context.Context, c *Conn, _ *packet.Connect) error {
			c.Deliver(&packet.Publish{Topic: "t"}) // which comes to nothing
			c.Disconnect(packet.SessionTakenOver, "another one")
			return nil
		}
		c := w.call(packet.V5)
		c.login()
		c.expectDisconnect(packet.SessionTakenOver)
		synctest.Wait()
		if ends := w.gateway.all()[0].ends(); len(ends) != 1 || ends[0] != (End{Reason: packet.SessionTakenOver}) {
			t.Errorf("ended with %v", ends)
		}
	})
}

func TestHandlerPanicsInConnect(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, nil, func(w *world) {
			w.gateway.connect = func(_ context.Context, _ *Conn, p *packet.Connect) error {
				if p.ClientID == "bad" {
					panic("bad")
				}
				return nil
			}
			other, _ := w.admitted(v)
			c := w.call(v)
			c.send(hello{version: v, flags: 2, id: "bad"}.bytes())
			c.expectRefusal(packet.UnspecifiedError, 3)
			other.send(frame(0xC0))
			other.expect([]byte{0xD0, 0})
			if n := w.server.metrics.panics.Load(); n != 1 {
				t.Errorf("%d panics were counted", n)
			}
			if admitted, _ := w.server.limits.count(); admitted != 1 {
				t.Errorf("%d connections are counted as admitted", admitted)
			}
		})
	})
}

func TestHandlerForgetsSession(t *testing.T) {
	if err := (&Refusal{Text: "no"}).Error(); err != "no" {
		t.Error(err)
	}
	s := NewServer(DefaultConfig(), forgetful{}, nil)
	c := newConn(s, nil)
	s.limits.beginLogin()
	if _, err := c.judge(t.Context(), nil); !errors.Is(err, errNoSession) {
		t.Errorf("got %v", err)
	}
	if admitted, _ := s.limits.count(); admitted != 0 {
		t.Errorf("%d connections are counted as admitted", admitted)
	}
}

type forgetful struct{}

func (forgetful) Connect(context.Context, *Conn, *packet.Connect) (Session, error) { return nil, nil }
