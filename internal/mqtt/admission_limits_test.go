package mqtt

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// works expects that a connection is served.
func (c *client) works() {
	c.tb.Helper()
	c.send(publication(c.version, 9, "t", "x"))
	c.expect(puback(9))
}

// knock connects and expects to be refused.
func (w *world) refused(v packet.Version, r packet.Reason) {
	w.Helper()
	c := w.call(v)
	c.send(hello{version: v, flags: 2, id: "me"}.bytes())
	c.expectRefusal(r, serverUnavailable)
}

func TestMaxConnections(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, func(c *Config) { c.MaxConnections = 2 }, func(w *world) {
			first, _ := w.admitted(v)
			second, _ := w.admitted(v)
			w.refused(v, packet.ConnectionRateExceeded)
			first.works()
			second.send(frame(0xE0))
			second.expectEnd()
			synctest.Wait()
			third, _ := w.admitted(v)
			third.works()
			w.refused(v, packet.ConnectionRateExceeded)
		})
	})
}

// come has clients send a CONNECT at the same time.
func (w *world) come(v packet.Version, n int) (all []*client) {
	w.Helper()
	for range n {
		c := w.call(v)
		c.send(hello{version: v, flags: 2, id: "me"}.bytes())
		all = append(all, c)
	}
	synctest.Wait()
	return all
}

// TestConnectRate has as many come at once as are taken. They are let in one after the other, within a second, and all others are refused at once.
func TestConnectRate(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, func(c *Config) { c.ConnectRate, c.ConnectBurst = 1, 3 }, func(w *world) {
			began := time.Now()
			taken := w.come(v, 3)
			for range 20 {
				w.refused(v, packet.ConnectionRateExceeded)
			}
			if after := time.Since(began); after > 0 {
				t.Errorf("who is not taken waited for %v", after)
			}
			for _, c := range taken {
				if p := c.receive(); p[0] != 0x20 || p[3] != 0 {
					t.Errorf("% x", p)
				}
			}
			if after := time.Since(began).Round(time.Millisecond); after != 667*time.Millisecond {
				t.Errorf("the last of three is let in after %v", after)
			}
			taken[0].works()
			w.refused(v, packet.ConnectionRateExceeded)
			time.Sleep(500 * time.Millisecond) // in the bubble
			w.admitted(v)
			w.refused(v, packet.ConnectionRateExceeded)
			time.Sleep(time.Minute) // in the bubble
			for _, c := range w.come(v, 3) {
				c.receive()
			}
			w.refused(v, packet.ConnectionRateExceeded)
		})
	})
}

// A CONNECT that is refused for its form costs no token.
func TestMalformedConnectsCostNothing(t *testing.T) {
	inWorld(t, func(c *Config) { c.ConnectRate, c.ConnectBurst = 1, 1 }, func(w *world) {
		for range 10 {
			c := w.call(packet.V5)
			c.send(hello{version: packet.V5, flags: 3}.bytes())
			c.expectRefusal(packet.MalformedPacket, 0)
		}
		w.admitted(packet.V5)
	})
}

func TestConnectsAtOnce(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		inWorld(t, func(c *Config) { c.ConnectsAtOnce = 2 }, func(w *world) {
			established, _ := w.admitted(v)
			decide := make(chan error)
			w.gateway.connect = func(context.Context, *Conn, *packet.Connect) error { return <-decide }
			first, second := w.call(v), w.call(v)
			first.send(hello{version: v, flags: 2, id: "me"}.bytes())
			second.send(hello{version: v, flags: 2, id: "me"}.bytes())
			synctest.Wait()
			w.refused(v, packet.ServerBusy)
			established.works()
			decide <- nil
			decide <- errRefused
			synctest.Wait()
			third := w.call(v)
			third.send(hello{version: v, flags: 2, id: "me"}.bytes())
			decide <- nil
			if p := third.receive(); p[0] != 0x20 || p[3] != 0 {
				t.Errorf("% x", p)
			}
			go drain(first)
			go drain(second)
		})
	})
}

// drain reads to the end.
func drain(c *client) {
	for {
		if _, err := c.next(); err != nil {
			return
		}
	}
}

func TestMaxUnadmitted(t *testing.T) {
	inWorld(t, func(c *Config) { c.MaxUnadmitted = 2 }, func(w *world) {
		established, _ := w.admitted(packet.V5)
		synctest.Wait()
		first := w.call(packet.V5)
		w.call(packet.V5)
		synctest.Wait()
		unheard := w.call(packet.V5)
		unheard.expectEnd()
		established.works()
		first.login()
		synctest.Wait()
		w.admitted(packet.V5)
		synctest.Wait()
		if admitted, unadmitted := w.server.limits.count(); admitted != 3 || unadmitted != 1 {
			t.Errorf("%d connections are admitted, %d are not", admitted, unadmitted)
		}
	})
}
