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

// TestArrivalsTakeTurns has clients connect that wait in the queue of the listener.
func TestArrivalsTakeTurns(t *testing.T) {
	inWorld(t, func(c *Config) { c.ConnectRate, c.ConnectBurst = 1, 3 }, func(w *world) {
		began := time.Now()
		for i := range 4 {
			w.call(packet.V5)
			want := time.Duration(i) * time.Second / 3
			if after := time.Since(began).Round(time.Millisecond); after != want.Round(time.Millisecond) {
				t.Errorf("client %d is accepted after %v, want %v", i, after, want)
			}
		}
	})
}

// callMany opens pipes, and waits until all of them are accepted and half a minute has passed.
func (w *world) callMany(v packet.Version, n int) (all []*client) {
	w.Helper()
	for range n {
		all = append(all, w.call(v))
	}
	time.Sleep(30 * time.Second) // in the bubble
	return all
}

// TestConnectRate has more send their CONNECT at once than are taken. Those are let in one after the other, within a second, and all others are
// refused at once.
func TestConnectRate(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		change := func(c *Config) { c.ConnectRate, c.ConnectBurst, c.ConnectTimeout = 1, 3, 60*time.Second }
		inWorld(t, change, func(w *world) {
			for range 2 {
				clients := w.callMany(v, 20)
				began := time.Now()
				for _, c := range clients {
					c.send(hello{version: v, flags: 2, id: "me"}.bytes())
					synctest.Wait()
				}
				for _, c := range clients[3:] {
					c.expectRefusal(packet.ConnectionRateExceeded, serverUnavailable)
				}
				if after := time.Since(began); after > 0 {
					t.Errorf("who is not taken waited for %v", after)
				}
				for _, c := range clients[:3] {
					if p := c.receive(); p[0] != 0x20 || p[3] != 0 {
						t.Errorf("% x", p)
					}
				}
				if after := time.Since(began).Round(time.Millisecond); after != 667*time.Millisecond {
					t.Errorf("the last of three is let in after %v", after)
				}
				clients[0].works()
			}
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
