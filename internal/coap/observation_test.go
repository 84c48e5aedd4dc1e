package coap

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
)

// watchers registers every client that wants to be.
func watchers() (*desk, chan *Observation) {
	made := make(chan *Observation, 10)
	return &desk{serve: func(r *Request, reply func(Response)) {
		switch r.Wish() {
		case Register:
			made <- r.Observe()
		case Deregister:
			r.Deregister()
		}
		reply(Response{Code: codes.Content})
	}}, made
}

// notify sends a notification and hands over how that ended.
func notify(o *Observation, body string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- o.Notify(context.Background(), Response{Code: codes.Content, Body: []byte(body)})
	}()
	return ended
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, made := watchers()
		w := connect(t, d, nil, true)
		register := get(1, uintOption(message.Observe, 0))
		first := w.one(register)
		want(t, first, message.Acknowledgement, codes.Content, 1, register.Token)
		last, ok := number(first, message.Observe)
		if !ok {
			t.Error("the client is not registered")
		}
		o := <-made
		for _, body := range []string{"a", "b", "c"} {
			ended := notify(o, body)
			got := only(t, w.take())
			want(t, got, message.Confirmable, codes.Content, -1, register.Token)
			sequence, _ := number(got, message.Observe)
			if sequence <= last || string(got.Payload) != body {
				t.Errorf("notification %d after %d: %q", sequence, last, got.Payload)
			}
			last = sequence
			w.give(control(message.Acknowledgement, got.MessageID))
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		ended := notify(o, "d")
		w.give(control(message.Reset, only(t, w.take()).MessageID))
		if err := <-ended; !errors.Is(err, ErrReset) {
			t.Errorf("reset: %v", err)
		}
		<-o.Done()
		if n := w.endpoint.observations.Load(); n != 0 || w.observations != nil {
			t.Errorf("%d observations", n)
		}
	})
}

func TestObservationsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, made := watchers()
		w := connect(t, d, nil, true)
		mid := uint16(0)
		register := func() *Observation {
			mid++
			m := get(mid, uintOption(message.Observe, 0))
			m.Token = message.Token{7}
			w.one(m)
			return <-made
		}
		first := register()
		second := register()
		<-first.Done() // the same token

		mid++
		m := get(mid, uintOption(message.Observe, 1))
		m.Token = message.Token{7}
		if _, ok := number(w.one(m), message.Observe); ok {
			t.Error("the answer to a deregistration says that the client is registered")
		}
		<-second.Done()

		silent := register()
		ended := notify(silent, "x")
		time.Sleep(2 * time.Minute)
		if err := <-ended; !errors.Is(err, ErrTimeout) {
			t.Errorf("a client that says nothing: %v", err)
		}
		<-silent.Done()
		if got := len(w.take()); got != 1+maxRetransmit {
			t.Errorf("sent %d times", got)
		}

		refused := register()
		refused.Refuse(Diagnostic(codes.Forbidden, "no"))
		got := only(t, w.take())
		want(t, got, message.Confirmable, codes.Forbidden, -1, message.Token{7})
		if _, ok := number(got, message.Observe); ok {
			t.Error("the last notification says that there will be more")
		}
		w.give(control(message.Acknowledgement, got.MessageID))

		gone := register()
		ended = notify(gone, "x")
		w.take()
		w.Close()
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("a client that is gone: %v", err)
		}
		<-gone.Done()
		if n := w.endpoint.observations.Load(); n != 0 {
			t.Errorf("%d observations", n)
		}
	})
}

func TestObservationsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, made := watchers()
		w := connect(t, d, func(c *Config) { c.MaxObservations = 1 }, true)
		w.one(get(1, uintOption(message.Observe, 0)))
		if _, ok := number(w.one(get(2, uintOption(message.Observe, 0))), message.Observe); ok {
			t.Error("a client is registered beyond the bound")
		}
		if (<-made) == nil || (<-made) != nil {
			t.Error("the wrong one is registered")
		}
	})
}

// TestLargeNotification waits with the next notification until the client has fetched all blocks of this one.
func TestLargeNotification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, made := watchers()
		w := connect(t, d, nil, true)
		w.one(get(1, uintOption(message.Observe, 0)))
		body := text(2500)
		ended := notify(<-made, body)
		first := only(t, w.take())
		w.give(control(message.Acknowledgement, first.MessageID))
		got := first.Payload
		for num := 1; num < 3; num++ {
			select {
			case err := <-ended:
				t.Fatalf("over before the client has block %d: %v", num, err)
			default:
			}
			next := w.one(get(uint16(num+1), uintOption(message.Block2, blockOf(num, false, blockwise.SZX1024))))
			got = slices.Concat(got, next.Payload)
		}
		if err := <-ended; err != nil || string(got) != body {
			t.Errorf("%v, fetched %q", err, got)
		}
	})
}

// TestRegistrationIsAnsweredLate has the client not hear that it is registered.
func TestRegistrationIsAnsweredLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := make(chan *Observation, 1)
		w := connect(t, &desk{serve: func(r *Request, reply func(Response)) {
			made <- r.Observe()
			time.AfterFunc(time.Second, func() { reply(Response{Code: codes.Content}) })
		}}, nil, true)
		w.give(get(1, uintOption(message.Observe, 0)))
		o := <-made
		time.Sleep(5 * time.Minute)
		select {
		case <-o.Done():
		default:
			t.Error("the client is still registered")
		}
	})
}
