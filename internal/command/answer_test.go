package command

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/redis"
)

func TestAnswers(t *testing.T) { testAnswers(t, embedded(t), redis.Single) }

func testAnswers(t *testing.T, url, mode string) {
	device, _ := connect(t, url, mode)
	_, asking := connect(t, url, mode)
	other, otherAsking := connect(t, url, mode)
	expect := func(r *Router) (*Expectation, Command) {
		c := Command{Application: "app", Gateway: "gw", Device: "d", Name: "get"}
		e, err := r.Expect(t.Context(), &c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		if !c.Respond || ValidateCorrelation(c.Correlation) != nil {
			t.Fatalf("the command is %+v", c)
		}
		return e, c
	}
	first, c := expect(asking)
	second, d := expect(asking)
	third, _ := expect(otherAsking)
	whoever, err := asking.ExpectFrom(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	defer whoever.Close()

	// Nobody else can answer, nor with another correlation. What comes last shows that what came before was heard.
	device.Answer(c.Correlation, Answer{Application: "other", Device: "d", Payload: []byte("wrong")})
	device.Answer(c.Correlation, Answer{Application: "app", Device: "gw", Payload: []byte("wrong")})
	device.Answer(strings.Repeat("A", 26)+"."+strings.Repeat("A", 26), Answer{Application: "app", Device: "d"})
	other.Answer(c.Correlation, Answer{Application: "app", Device: "d", ContentType: "text/plain", Payload: []byte("21.5")})
	device.Answer(d.Correlation, Answer{Application: "app", Device: "d", Payload: []byte("second")})

	device.Answer(whoever.Correlation, Answer{Application: "other", Device: "d", Payload: []byte("wrong")})
	device.Answer(whoever.Correlation, Answer{Application: "app", Device: "gw", Payload: []byte("wrong")})
	device.Answer(whoever.Correlation, Answer{Application: "app", Device: "d", Payload: []byte("any")})

	wait := func(e *Expectation) Answer {
		answer, _ := e.Wait(t.Context(), "d")
		return answer
	}
	if got := wait(first); got.Application != "app" || got.Device != "d" || got.ContentType != "text/plain" || string(got.Payload) != "21.5" {
		t.Errorf("got %+v", got)
	}
	if got := wait(second); string(got.Payload) != "second" {
		t.Errorf("got %+v", got)
	}
	if got := wait(whoever); string(got.Payload) != "any" {
		t.Errorf("got %+v", got)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if got, ok := third.Wait(over, "d"); ok {
		t.Errorf("another process got %+v", got)
	}
	first.Close()
	device.Answer(c.Correlation, Answer{Application: "app", Device: "d"}) // to nobody
	NewHub().Answer(c.Correlation, Answer{})                              // without Redis
}

func TestValidateCorrelation(t *testing.T) {
	random := strings.Repeat("AZ27", 7)[:correlationPart]
	f := func(text string, good bool) {
		t.Helper()
		if err := ValidateCorrelation(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	f(random+"."+random, true)
	f("", false)
	f(".", false)
	f(random, false)
	f(random+"."+random+".", false)
	f(random+"."+strings.ToLower(random), false)
	f(random+"."+random[1:], false)
	f("1."+random, false)
	f(random+".*"+random[1:], false)
}

// An admission is revoked from the beginning, or never, and renewed as renew says: nil refuses.
type admission struct {
	revoked chan struct{}
	renew   func(ctx context.Context) bool
}

func (a admission) Revoked() <-chan struct{} { return a.revoked }

func (a admission) Renew(ctx context.Context) bool { return a.renew != nil && a.renew(ctx) }

// TestPollsAreReadmitted has commands come, and processes end, while nobody can tell yet whether a device is still admitted.
func TestPollsAreReadmitted(t *testing.T) {
	h := NewHub()
	closed := make(chan struct{})
	close(closed)
	f := func(want bool, during func(closing chan struct{})) {
		t.Helper()
		p, err := h.Poll(t.Context(), For("a", "d", "d", "http"))
		if err != nil {
			t.Fatal(err)
		}
		closing := make(chan struct{})
		_, ok := p.Wait(t.Context(), time.Minute, admission{closed, func(ctx context.Context) bool {
			during(closing)
			<-ctx.Done()
			return false
		}}, closing)
		if ok != want {
			t.Errorf("a command: %v, want %v", ok, want)
		}
	}
	f(true, func(chan struct{}) { h.Deliver(Command{Application: "a", Gateway: "d", Device: "d", Name: "on"}) })
	f(false, func(closing chan struct{}) { close(closing) })

	p, err := h.Poll(t.Context(), For("a", "d", "d", "http"))
	if err != nil {
		t.Fatal(err)
	}
	renewals := 0
	p.Wait(t.Context(), time.Minute, admission{closed, func(context.Context) bool { renewals++; return renewals < 3 }}, nil)
	if renewals != 3 {
		t.Errorf("renewed %d times", renewals)
	}
}

// TestPolls has polls end in every way there is.
func TestPolls(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h := NewHub()
	c := Command{Application: "a", Gateway: "gw", Device: "d", Name: "on"}
	poll := func(device string) *Poll {
		t.Helper()
		p, err := h.Poll(t.Context(), For("a", "gw", device, "http"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	f := func(want bool, end func(p *Poll) (Command, bool)) {
		t.Helper()
		p := poll("d")
		if taken := want && h.Deliver(c).Taken() != 1; taken {
			t.Error("the command was not taken")
		}
		if got, ok := end(p); ok != want || ok && got.Name != "on" {
			t.Errorf("got %+v, %v, want %v", got, ok, want)
		}
		if reach := h.Deliver(c); reach.Taken() != 0 || h.len() != 0 {
			t.Errorf("after the end: %v, %d listen", reach, h.len())
		}
	}
	f(true, func(p *Poll) (Command, bool) { return p.Wait(t.Context(), time.Minute, admission{}, nil) })
	f(true, func(p *Poll) (Command, bool) { return p.Wait(t.Context(), 0, admission{revoked: closed}, closed) }) // it has taken it before
	f(false, func(p *Poll) (Command, bool) { return p.Wait(t.Context(), time.Millisecond, admission{}, nil) })
	f(false, func(p *Poll) (Command, bool) { return p.Wait(gone, time.Minute, admission{}, nil) })
	f(false, func(p *Poll) (Command, bool) {
		return p.Wait(t.Context(), time.Minute, admission{revoked: closed}, nil)
	})
	f(false, func(p *Poll) (Command, bool) { return p.Wait(t.Context(), time.Minute, admission{}, closed) })
	f(false, func(p *Poll) (Command, bool) { p.Close(); return Command{}, false })

	p := poll("gw") // takes no command for another device, and one only
	own := c
	own.Device = "gw"
	if h.Deliver(c).Taken() != 0 || h.Deliver(own).Taken() != 1 || h.Deliver(own).Taken() != 0 {
		t.Error("a poll takes other commands than its one")
	}
	p.Close()
}

// TestPollsTellTheTruth has commands come at the moment at which polls end: what was taken was also given out.
func TestPollsTellTheTruth(t *testing.T) {
	h := NewHub()
	for range 500 {
		p, err := h.Poll(t.Context(), For("a", "d", "d", "http"))
		if err != nil {
			t.Fatal(err)
		}
		var taken int
		var sending sync.WaitGroup
		sending.Go(func() { taken = h.Deliver(Command{Application: "a", Gateway: "d", Device: "d", Name: "on"}).Taken() })
		_, ok := p.Wait(t.Context(), time.Microsecond, admission{}, nil)
		sending.Wait()
		if ok != (taken == 1) {
			t.Fatalf("taken by %d, given out: %v", taken, ok)
		}
	}
}
