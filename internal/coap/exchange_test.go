package coap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
)

func TestPiggybackedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		request := post(message.Confirmable, 7, "x")
		want(t, w.one(request), message.Acknowledgement, codes.Changed, 7, request.Token)
		request = post(message.NonConfirmable, 8, "y")
		want(t, w.one(request), message.NonConfirmable, codes.Changed, -1, request.Token)
		if got := w.desk.bodies(); !slices.Equal(got, []string{"x", "y"}) {
			t.Errorf("served %q", got)
		}
	})
}

// later is a handler that answers when it is told to.
func later() (*desk, chan func(Response)) {
	replies := make(chan func(Response), 100)
	return &desk{serve: func(_ *Request, reply func(Response)) { replies <- reply }}, replies
}

func TestSeparateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, nil, true)
		request := post(message.Confirmable, 7, "x")
		none(t, w.give(request))
		none(t, w.give(request)) // sent again before there is anything to say
		time.Sleep(DefaultConfig().AckDelay)
		want(t, only(t, w.take()), message.Acknowledgement, codes.Empty, 7, nil)
		want(t, w.one(request), message.Acknowledgement, codes.Empty, 7, nil)

		(<-replies)(Response{Code: codes.Content, Body: []byte("late")})
		answer := only(t, w.take())
		want(t, answer, message.Confirmable, codes.Content, -1, request.Token)
		var times []time.Duration
		started := time.Now()
		for range maxRetransmit {
			w.await(t)
			times = append(times, time.Since(started))
			if again := only(t, w.take()); again.MessageID != answer.MessageID || string(again.Payload) != "late" {
				t.Errorf("sent %v again as %v", answer, again)
			}
		}
		for i, at := range times {
			if least := ackTimeout * (1<<(i+1) - 1); at < least || float64(at) > float64(least)*ackRandomFactor {
				t.Errorf("sent the %dth time after %v", i+2, at)
			}
		}
		want(t, w.one(request), message.Acknowledgement, codes.Empty, 7, nil)
		none(t, w.give(control(message.Acknowledgement, answer.MessageID)))
		time.Sleep(time.Minute)
		none(t, w.take())
		if got := d.bodies(); len(got) != 1 {
			t.Errorf("served %d times", len(got))
		}
	})
}

// await waits, in the bubble's time, until something is sent.
func (w *wire) await(t *testing.T) {
	t.Helper()
	for range 10_000 {
		synctest.Wait()
		w.mu.Lock()
		count := len(w.sent)
		w.mu.Unlock()
		if count > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing is sent")
}

func TestAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, func(c *Config) { c.AckDelay = 0 }, true)
		w.give(post(message.Confirmable, 7, "x"))
		(<-replies)(Response{Code: codes.Changed})
		time.Sleep(5 * time.Minute)
		if got := len(w.take()); got != 1+maxRetransmit {
			t.Errorf("sent %d times, want %d", got, 1+maxRetransmit)
		}
		if w.busy() {
			t.Error("the answer is still on its way")
		}
	})
}

// TestRequestThatComesAgain wants one serving and the same answer for every copy of a request, for as long as one may be
// under way.
func TestRequestThatComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		for _, kind := range []message.Type{message.Confirmable, message.NonConfirmable} {
			request := post(kind, 100+uint16(kind), "x")
			first := w.one(request)
			time.Sleep(exchangeLifetime - time.Second)
			if again := w.one(request); again.MessageID != first.MessageID || again.Code != first.Code || again.Type != first.Type {
				t.Errorf("answered %v, then %v", first, again)
			}
		}
		if got := len(w.desk.bodies()); got != 2 {
			t.Errorf("served %d times, want 2", got)
		}
		time.Sleep(exchangeLifetime)
		w.one(post(message.Confirmable, 100, "x"))
		if got := len(w.desk.bodies()); got != 3 {
			t.Errorf("served %d times, want 3: the message ID is free again", got)
		}
		time.Sleep(exchangeLifetime + 2*sweepPause)
		synctest.Wait()
		if w.endpoint.remembered.Load() != 0 || w.memory.len() != 0 {
			t.Errorf("%d answers are remembered", w.endpoint.remembered.Load())
		}
	})
}

// TestClientBeginsAnew has a client that has lost count use a message ID for something else.
func TestClientBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		w.one(post(message.Confirmable, 1, "before"))
		other := post(message.Confirmable, 1, "after")
		other.Token = message.Token{9}
		want(t, w.one(other), message.Acknowledgement, codes.Changed, 1, other.Token)
		if got := w.desk.bodies(); !slices.Equal(got, []string{"before", "after"}) {
			t.Errorf("served %q", got)
		}
	})
}

func TestAnswersAreForgottenAtTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, func(c *Config) { c.MaxRememberedOf = 3 }, true)
		for mid := range uint16(5) {
			w.one(post(message.Confirmable, mid, fmt.Sprint(mid)))
		}
		if w.memory.len() != 3 || len(w.memory.byMID) != 3 || w.endpoint.remembered.Load() != 3 {
			t.Errorf("%d, %d, %d answers are remembered", w.memory.len(), len(w.memory.byMID), w.endpoint.remembered.Load())
		}
		w.one(post(message.Confirmable, 4, "4"))
		w.one(post(message.Confirmable, 0, "0"))
		if got := len(w.desk.bodies()); got != 6 {
			t.Errorf("served %d times, want 6: the newest is remembered, the oldest is not", got)
		}
	})
}

func TestOrderAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, nil, true)
		var sent []string
		for mid := range uint16(20) {
			w.Receive(raw(t, post(message.Confirmable, mid, fmt.Sprint(mid))))
			sent = append(sent, fmt.Sprint(mid))
		}
		none(t, w.take())
		if got := d.bodies(); !slices.Equal(got, sent) {
			t.Errorf("served in the order %v", got)
		}
		for range 19 {
			<-replies // the first nineteen wait
		}
		(<-replies)(Response{Code: codes.Changed})
		want(t, only(t, w.take()), message.Acknowledgement, codes.Changed, 19, message.Token{1, 2, 19})
	})
}

func TestTooManyOpenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, func(c *Config) { c.MaxOpenPerPeer, c.MaxOpen = 2, 3 }, true)
		other := join(t, w.endpoint, d, true)
		none(t, w.give(post(message.Confirmable, 1, "1")))
		none(t, w.give(post(message.NonConfirmable, 2, "2")))
		refused := w.one(post(message.Confirmable, 3, "3"))
		want(t, refused, message.Acknowledgement, codes.ServiceUnavailable, 3, message.Token{1, 2, 3})
		if age, ok := number(refused, message.MaxAge); !ok || age != busySeconds {
			t.Errorf("Max-Age %d", age)
		}
		none(t, w.give(post(message.NonConfirmable, 4, "4")))
		none(t, other.give(post(message.Confirmable, 1, "other")))
		want(t, other.one(post(message.Confirmable, 2, "other")), message.Acknowledgement, codes.ServiceUnavailable, 2, message.Token{1, 2, 2})
		(<-replies)(Response{Code: codes.Changed})
		w.take()
		none(t, w.give(post(message.Confirmable, 3, "3"))) // was not remembered, and has a place now
		if got := d.bodies(); !slices.Equal(got, []string{"1", "2", "other", "3"}) {
			t.Errorf("served %q", got)
		}
		w.Close()
		other.Close()
		if got := w.endpoint.unanswered.Load(); got != 0 {
			t.Errorf("%d requests are open after all clients are gone", got)
		}
	})
}

func TestMessagesThatAreNoRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		want(t, w.one(control(message.Confirmable, 9)), message.Reset, codes.Empty, 9, nil)
		response := message.Message{Type: message.Confirmable, Code: codes.Content, MessageID: 10}
		want(t, w.one(response), message.Reset, codes.Empty, 10, nil)
		none(t, w.give(control(message.NonConfirmable, 9)))
		none(t, w.give(control(message.Acknowledgement, 9)))
		none(t, w.give(control(message.Reset, 9)))
		response.Type = message.NonConfirmable
		none(t, w.give(response))
		request := raw(t, post(message.Confirmable, 1, "x"))
		ignored := func(b []byte) {
			t.Helper()
			w.Receive(b)
			none(t, w.take())
		}
		ignored(nil)
		ignored(request[:3])
		ignored(append([]byte{0x80}, request[1:]...)) // version 2
		ignored(make([]byte, MaxMessage+1))           // too long, and no CoAP

		// A format error in a confirmable message is answered with a reset, in every other with nothing.
		reset := func(b []byte) {
			t.Helper()
			w.Receive(b)
			want(t, w.take()[0], message.Reset, codes.Empty, int32(b[2])<<8|int32(b[3]), nil)
			for _, kind := range []message.Type{message.NonConfirmable, message.Acknowledgement, message.Reset} {
				other := append([]byte{b[0]&0xcf | byte(kind)<<4}, b[1:]...)
				ignored(other)
			}
		}
		reset(request[:5]) // ends in the token
		for length := byte(9); length <= 15; length++ {
			reset(append([]byte{0x40 | length}, request[1:]...))
			reset([]byte{0x40 | length, 2, 0x12, 0x34})
			reset([]byte{0x40 | length, 0, 0x12, 0x34})    // Empty
			reset([]byte{0x40 | length, 0x45, 0x12, 0x34}) // a response
		}
		reset([]byte{0x40, 2, 0, 1, 0xff})                      // a marker without a body
		reset([]byte{0x40, 2, 0, 1, 0xb1, 'x', 0xff})           // the same behind an option
		reset([]byte{0x40, 2, 0, 1, 0xf0})                      // reserved delta
		reset([]byte{0x40, 2, 0, 1, 0xf1, 0, 'x'})              // the same with a value
		reset([]byte{0x40, 2, 0, 1, 0x0f})                      // reserved length
		reset([]byte{0x40, 2, 0, 1, 0xbf, 'x'})                 // the same behind a delta
		reset([]byte{0x40, 2, 0, 1, 0xd2})                      // ends in the delta
		reset([]byte{0x40, 2, 0, 1, 0xe2, 0})                   // ends in the longer delta
		reset([]byte{0x40, 2, 0, 1, 0xbd})                      // ends in the length
		reset([]byte{0x40, 2, 0, 1, 0xbe, 0})                   // ends in the longer length
		reset([]byte{0x40, 2, 0, 1, 0xb9, 'x'})                 // ends in a value
		reset([]byte{0x40, 2, 0, 1, 0xe0, 0xff, 0xff})          // delta beyond all options
		reset([]byte{0x40, 2, 0, 1, 0xe0, 0xfe, 0xf2, 0xd0, 9}) // the same in two steps
		reset([]byte{0x40, 0, 0, 1, 0xb1, 'x'})                 // Empty with an option
		reset([]byte{0x40, 0, 0, 1, 0xff, 'x'})                 // Empty with a body
		reset([]byte{0x41, 0, 0, 1, 'x'})                       // Empty with a token
		reset([]byte{0x40, 0x21, 0, 1})                         // a class that is reserved
		reset([]byte{0x40, 0xff, 0, 1})
		reset(append(raw(t, post(message.Confirmable, 1, "x")), make([]byte, 3000)...)) // too long
		if len(w.desk.bodies()) != 0 {
			t.Errorf("served %q", w.desk.bodies())
		}
	})
}

func TestOptionsThatHaveToBeUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{}, nil, true)
		mid := uint16(0)
		f := func(code codes.Code, options ...message.Option) {
			t.Helper()
			mid++
			if got := w.one(post(message.Confirmable, mid, "x", options...)); got.Code != code {
				t.Errorf("%v: %v %q, want %v", options, got.Code, got.Payload, code)
			}
		}
		f(codes.Changed, opaque(4209, "Basic"), opaque(4210, "x"), opaque(65000, "x"), opaque(message.URIHost, "h"), uintOption(message.URIPort, 5683), uintOption(message.Accept, 50))
		f(codes.Changed, opaque(message.URIPath, "a"), opaque(message.URIPath, "b"), opaque(message.URIQuery, "a"), opaque(message.URIQuery, "b"))
		f(codes.BadOption, opaque(9, ""))
		f(codes.BadOption, opaque(65001, "x"))
		f(codes.BadOption, opaque(message.IfMatch, "x"))
		f(codes.BadOption, opaque(message.IfNoneMatch, ""))
		f(codes.BadOption, opaque(4209, "a"), opaque(4209, "b"))
		f(codes.BadOption, opaque(message.URIHost, ""))
		f(codes.BadOption, opaque(message.Block1, "four"))
		f(codes.BadOption, opaque(message.URIPath, strings.Repeat("x", 256)))
		f(codes.BadOption, opaque(19, "\x00"))
		f(codes.ProxyingNotSupported, opaque(message.ProxyURI, "coap://x"))
		f(codes.ProxyingNotSupported, opaque(message.ProxyScheme, "coap"))
		many := make([]message.Option, maxOptions)
		for i := range many {
			many[i] = opaque(message.URIPath, "x")
		}
		f(codes.BadRequest, many...)
		f(codes.BadRequest, uintOption(message.Block1, 7))
		f(codes.BadRequest, uintOption(message.Block2, 7))
		none(t, w.give(post(message.NonConfirmable, 999, "x", opaque(9, ""))))
		if got := len(w.desk.bodies()); got != 2 {
			t.Errorf("served %d times, want 2", got)
		}
	})
}

func TestNoResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := connect(t, &desk{serve: func(r *Request, reply func(Response)) {
			reply(Response{Code: map[string]codes.Code{"good": codes.Changed, "bad": codes.NotAcceptable}[string(r.Body)]})
		}}, nil, true)
		const not2xx = 2
		none(t, w.give(post(message.NonConfirmable, 1, "good", uintOption(message.NoResponse, not2xx))))
		want(t, w.one(post(message.NonConfirmable, 2, "bad", uintOption(message.NoResponse, not2xx))), message.NonConfirmable, codes.NotAcceptable, -1, message.Token{1, 2, 2})
		want(t, w.one(post(message.Confirmable, 3, "good", uintOption(message.NoResponse, not2xx))), message.Acknowledgement, codes.Empty, 3, nil)
	})
}

// TestAmplification has a client that has not shown that it is where its datagrams come from. It is sent no more than three
// times what came from there.
func TestAmplification(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, nil, false)
		request := post(message.Confirmable, 1, "x")
		got := func() (bytes int) {
			for _, m := range w.take() {
				bytes += len(raw(t, m))
			}
			return bytes
		}
		w.give(request)
		(<-replies)(Diagnostic(codes.NotAcceptable, strings.Repeat("x", 1000)))
		if n := got(); n == 0 || n > 3*len(raw(t, request)) {
			t.Errorf("answered a request of %d bytes with %d", len(raw(t, request)), n)
		}
		large := post(message.Confirmable, 2, strings.Repeat("x", 100))
		budget := 3 * len(raw(t, large))
		w.give(large)
		(<-replies)(Response{Code: codes.Content, Body: []byte(strings.Repeat("y", 5000))})
		if n := got(); n < 100 || n > budget {
			t.Errorf("answered a request of %d bytes with %d", budget/3, n)
		}
		late := post(message.Confirmable, 3, strings.Repeat("x", 100))
		w.give(late)
		time.Sleep(time.Second)
		(<-replies)(Response{Code: codes.Content, Body: []byte(strings.Repeat("y", 5000))})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		w.mu.Lock()
		count := len(w.sent)
		w.mu.Unlock()
		if n := got(); count != 2+maxRetransmit || n > 3*len(raw(t, late)) {
			t.Errorf("answered a request of %d bytes with %d messages of %d bytes", len(raw(t, late)), count, n)
		}
		w.give(post(message.Confirmable, 4, "x"))
		time.Sleep(time.Second)
		(<-replies)(Response{Code: codes.Changed})
		separate := w.take()
		w.give(control(message.Acknowledgement, separate[len(separate)-1].MessageID))
		w.give(post(message.Confirmable, 5, "x"))
		(<-replies)(Response{Code: codes.Content, Body: []byte(strings.Repeat("y", 1000))})
		if n := got(); n < 1000 {
			t.Errorf("a client that has shown where it is gets %d bytes", n)
		}
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, replies := later()
		w := connect(t, d, nil, true)
		none(t, w.give(post(message.Confirmable, 1, "x")))
		time.Sleep(time.Second)
		w.take()
		drained := make(chan error, 1)
		go func() { drained <- w.endpoint.Drain(t.Context()) }()
		time.Sleep(time.Second)
		want(t, w.one(post(message.Confirmable, 2, "x")), message.Acknowledgement, codes.ServiceUnavailable, 2, message.Token{1, 2, 2})
		(<-replies)(Response{Code: codes.Changed})
		answer := only(t, w.take())
		time.Sleep(time.Second)
		select {
		case <-drained:
			t.Error("drained before the answer is acknowledged")
		default:
		}
		w.give(control(message.Acknowledgement, answer.MessageID))
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}

func TestConfigNamesTheBadField(t *testing.T) {
	f := func(change func(*Config), want string) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		err := c.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want+":")) {
			t.Errorf("Validate() = %v, want %q", err, want)
		}
	}
	f(func(*Config) {}, "")
	f(func(c *Config) { c.MaxPeers = 0 }, "maxPeers")
	f(func(c *Config) { c.MaxOpen = 0 }, "maxOpen")
	f(func(c *Config) { c.MaxOpenPerPeer = 0 }, "maxOpenPerPeer")
	f(func(c *Config) { c.MaxRemembered = 0 }, "maxRemembered")
	f(func(c *Config) { c.MaxRememberedOf = 1 << 20 }, "maxRememberedOf")
	f(func(c *Config) { c.AckDelay = time.Minute }, "ackDelay")
	f(func(c *Config) { c.TransferBytes = 1 }, "transferBytes")
	f(func(c *Config) { c.TransferTimeout = 0 }, "transferTimeout")
	f(func(c *Config) { c.MaxObservations = -1 }, "maxObservations")
}
