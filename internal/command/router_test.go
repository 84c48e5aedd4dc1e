package command

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/redis"
)

// connect makes what one process has: a hub and its router.
func connect(t *testing.T, url, mode string) (*Hub, *Router) {
	t.Helper()
	c := redis.DefaultConfig()
	c.URL, c.Mode = url, mode
	client, err := c.ClientWithoutRetries()
	if err != nil {
		t.Fatal(err)
	}
	h := NewHub()
	r := NewRouter(client, "test", h, nil)
	t.Cleanup(func() { r.Close(); _ = client.Close() })
	return h, r
}

func embedded(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() }

func send(t *testing.T, r *Router, c Command) Receipt {
	t.Helper()
	receipt, err := r.Send(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// want is a receipt as text.
func (r *Receipt) want(t *testing.T, silent int, reach ...Reached) {
	t.Helper()
	same := len(r.Reach) == len(reach) && r.Silent == silent
	for i := 0; same && i < len(reach); i++ {
		same = r.Reach[i] == reach[i]
	}
	if !same {
		t.Errorf("receipt %+v, want %v and %d silent", *r, reach, silent)
	}
}

func TestReceipts(t *testing.T) { testReceipts(t, embedded(t), redis.Single) }

func testReceipts(t *testing.T, url, mode string) {
	first, _ := connect(t, url, mode)
	second, _ := connect(t, url, mode)
	_, sender := connect(t, url, mode)
	take := func(Command) bool { return true }
	refuse := func(Command) bool { return false }
	c := Command{Application: "app", Gateway: "gw", Device: "gw", Name: "on", Payload: []byte("x")}

	receipt := send(t, sender, c)
	receipt.want(t, 0)

	queue := first.NewQueue(1)
	l := listen(t, first, Filter{Application: "app", Gateway: "gw", Scope: All, Protocol: "mqtt"}, queue.Put)
	listen(t, first, Filter{Application: "app", Gateway: "gw:2", Protocol: "mqtt"}, take)
	receipt = send(t, sender, c)
	receipt.want(t, 0, Reached{"mqtt", 1, 0})
	if got := <-queue.C(); got.Name != "on" || string(got.Payload) != "x" {
		t.Errorf("got %+v", got)
	}

	listen(t, first, Filter{Application: "app", Gateway: "gw", Protocol: "mqtt"}, refuse)
	receipt = send(t, sender, c)
	receipt.want(t, 0, Reached{"mqtt", 1, 1})

	listen(t, second, Filter{Application: "app", Gateway: "gw", Protocol: "http"}, take)
	l.Close()
	receipt = send(t, sender, c)
	if len(receipt.Reach) != 2 || receipt.Reach.Taken() != 1 || receipt.Silent != 0 {
		t.Errorf("two processes: %+v", receipt)
	}

	other := c
	other.Device = "d"
	receipt = send(t, sender, other)
	receipt.want(t, 0)
}

// TestNothingIsMissedBetweenPublishAndPoll sends at once when Listen has returned, again and again.
func TestNothingIsMissedBetweenPublishAndPoll(t *testing.T) {
	testNothingIsMissed(t, embedded(t), redis.Single)
}

func testNothingIsMissed(t *testing.T, url, mode string) {
	here, _ := connect(t, url, mode)
	_, sender := connect(t, url, mode)
	const times = 50
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var devices sync.WaitGroup
	for d := range 8 {
		devices.Go(func() {
			device := strconv.Itoa(d % 4) // of which two listen at once
			for i := range times {
				queue := here.NewQueue(2 * times) // room for all that the other one sends meanwhile
				l, err := here.Listen(t.Context(), Filter{Application: "app", Gateway: device, Protocol: "http"}, queue.Put)
				if err != nil {
					t.Error(err)
					return
				}
				name := strconv.Itoa(d) + "-" + strconv.Itoa(i)
				receipt, err := sender.Send(t.Context(), Command{Application: "app", Gateway: device, Device: device, Name: name})
				if err != nil || receipt.Reach.Taken() == 0 && receipt.Silent == 0 { // on a busy machine some say late that they have it
					t.Errorf("command %s: %+v, %v", name, receipt, err)
					l.Close()
					return
				}
				for got := ""; got != name; {
					select {
					case c := <-queue.C():
						got = c.Name
					case <-ctx.Done():
						t.Errorf("command %s does not arrive: %+v", name, receipt)
						l.Close()
						return
					}
				}
				l.Close()
			}
		})
	}
	devices.Wait()
}

func TestNoConnectionWithoutListeners(t *testing.T) {
	server := miniredis.RunT(t)
	h, _ := connect(t, "redis://"+server.Addr(), redis.Single)
	if n := server.TotalConnectionCount(); n != 0 {
		t.Errorf("%d connections before anybody listens", n)
	}
	listen(t, h, Filter{Application: "app", Gateway: "d"}, func(Command) bool { return true })
	if n := server.TotalConnectionCount(); n != 1 {
		t.Errorf("%d connections while somebody listens, want 1", n)
	}
}

func TestForeignMessages(t *testing.T) {
	server := miniredis.RunT(t)
	h, r := connect(t, "redis://"+server.Addr(), redis.Single)
	listen(t, h, Filter{Application: "app", Gateway: "d", Scope: All}, func(c Command) bool {
		t.Errorf("got %+v", c)
		return true
	})
	own := r.to(address{"app", "d"})
	elsewhere, _ := enclose("s", "1", &Command{Application: "app", Gateway: "other", Device: "other", Name: "x"})
	for _, message := range []string{"", "hello", "\x01\xff", string(elsewhere)} {
		server.Publish(own, message)
	}
	receipt := send(t, r, Command{Application: "app", Gateway: "d2", Device: "d2", Name: "last"})
	receipt.want(t, 0)
}

func TestChannelsAreApart(t *testing.T) {
	_, r := connect(t, embedded(t), redis.Single)
	seen := map[string]address{}
	for _, a := range []address{
		{"a", "b:c"}, {"a:b", "c"}, {"a", "b%3Ac"}, {"a", "b c"}, {"a", "b+c"}, {"a", "b\nc"}, {"from", "x"}, {"a", "*"}, {"a", "}{"},
	} {
		channel := r.to(a)
		if other, ok := seen[channel]; ok || channel == r.from(a.device) {
			t.Errorf("%v and %v share a channel", a, other)
		}
		seen[channel] = a
	}
}

func TestRedisAway(t *testing.T) {
	server := miniredis.RunT(t)
	h, r := connect(t, "redis://"+server.Addr(), redis.Single)
	server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Listen(ctx, Filter{Application: "app", Gateway: "d"}, func(Command) bool { return true }); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("listening: %v", err)
	}
	if n := h.len(); n != 0 {
		t.Errorf("%d devices listen after that failed", n)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Send(ctx, Command{Application: "app", Gateway: "d", Device: "d", Name: "x"}); outcome.Of(err) != outcome.Unavailable {
		t.Errorf("sending: %v", err)
	}
}
