package mqtt

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// leaving is a world whose server the test shuts down itself.
func leaving(t *testing.T, test func(w *world, serving <-chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, config: DefaultConfig(), gateway: &gateway{}, pipes: newPipes()}
		w.server = NewServer(w.config, w.gateway, nil)
		serving := make(chan error, 1)
		go func() { serving <- w.server.Serve(w.pipes) }()
		test(w, serving)
	})
}

// begin starts a shutdown and waits until nothing more happens by itself.
func (w *world) begin(waitLimit time.Duration) <-chan error {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	result := make(chan error, 1)
	go func() {
		defer cancel()
		result <- w.server.Shutdown(ctx)
	}()
	synctest.Wait()
	return result
}

func TestShutdownWaitsForAnswers(t *testing.T) {
	versions(t, func(t *testing.T, v packet.Version) {
		leaving(t, func(w *world, serving <-chan error) {
			w.gateway.publish = hold
			c, visit := w.admitted(v)
			idle, _ := w.admitted(v)
			silent := w.call(v)
			c.send(publication(v, 1, "t", "x"), publication(v, 0, "t", "x"))
			synctest.Wait()
			result := w.begin(time.Minute)
			if err := <-serving; !errors.Is(err, net.ErrClosed) {
				t.Errorf("Serve returned %v", err)
			}
			silent.expectEnd()
			if v == packet.V5 {
				idle.expect(frame(0xE0, []byte{0x8B}))
			}
			idle.expectEnd()
			held := visit.held()
			held[0](Answer{})
			c.expect(puback(1))
			synctest.Wait()
			if len(visit.ends()) > 0 {
				t.Fatal("the connection ended before all was answered")
			}
			held[1](Answer{})
			if v == packet.V5 {
				c.expect(frame(0xE0, []byte{0x8B}))
			}
			c.expectEnd()
			if err := <-result; err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff([]End{{Reason: packet.ServerShuttingDown}}, visit.ends()); diff != "" {
				t.Error(diff)
			}
		})
	})
}

func TestShutdownGivesUp(t *testing.T) {
	leaving(t, func(w *world, _ <-chan error) {
		w.gateway.publish = hold
		c, visit := w.admitted(packet.V5)
		c.send(publication(packet.V5, 1, "t", "x"))
		synctest.Wait()
		started := time.Now()
		if err := <-w.begin(time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(started); took != time.Minute {
			t.Errorf("it took %v", took)
		}
		c.expectEnd()
		synctest.Wait()
		if ends := visit.ends(); len(ends) != 1 {
			t.Errorf("ended: %v", ends)
		}
		visit.held()[0](Answer{})
	})
}

// What has been read is handled; what has not is left to the client, which sends it again to somebody else.
func TestShutdownReadsNothingMore(t *testing.T) {
	leaving(t, func(w *world, _ <-chan error) {
		w.gateway.publish = hold
		c, visit := w.admitted(packet.V311)
		c.send(publication(packet.V311, 1, "t", "x"))
		synctest.Wait()
		result := w.begin(time.Minute)
		sent := make(chan error)
		go func() {
			_, err := c.link.Write(publication(packet.V311, 2, "t", "x"))
			sent <- err
		}()
		synctest.Wait()
		visit.held()[0](Answer{})
		c.expect(puback(1))
		c.expectEnd()
		if err := <-sent; err == nil {
			t.Error("it read on")
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
		if n := len(visit.messages()); n != 1 {
			t.Errorf("the session got %d messages", n)
		}
	})
}

func TestShutdownWhileJudging(t *testing.T) {
	leaving(t, func(w *world, _ <-chan error) {
		w.gateway.connect = func(ctx context.Context, _ *Conn, p *packet.Connect) error {
			<-ctx.Done()
			if p.ClientID == "stubborn" {
				return nil
			}
			return ctx.Err()
		}
		c, stubborn := w.call(packet.V5), w.call(packet.V5)
		c.send(hello{version: packet.V5, flags: 2, id: "me"}.bytes())
		stubborn.send(hello{version: packet.V5, flags: 2, id: "stubborn"}.bytes())
		synctest.Wait()
		result := w.begin(time.Minute)
		c.expectRefusal(packet.ServerUnavailable, 0)
		if p := stubborn.receive(); p[0] != 0x20 || p[3] != 0 {
			t.Errorf("% x", p)
		}
		stubborn.expect(frame(0xE0, []byte{0x8B}))
		stubborn.expectEnd()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownWithoutConnections(t *testing.T) {
	leaving(t, func(w *world, serving <-chan error) {
		synctest.Wait()
		if err := <-w.begin(time.Minute); err != nil {
			t.Error(err)
		}
		if err := <-serving; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve returned %v", err)
		}
		if err := w.server.Shutdown(w.Context()); err != nil {
			t.Errorf("shutting down twice: %v", err)
		}
		if err := w.server.Serve(newPipes()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve after Shutdown returned %v", err)
		}
	})
}

func TestServeFailsWithItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(DefaultConfig(), &gateway{}, nil)
		p := newPipes()
		_ = p.Close()
		if err := s.Serve(p); err == nil {
			t.Error("Serve returned nil")
		}
	})
}
