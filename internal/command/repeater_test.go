package command

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/fairlead/fairlead/internal/redis"
	"github.com/fairlead/fairlead/test/neighbour"
)

func (r *repeater) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// await waits until so many answers wait to be sent again.
func (r *repeater) await(t *testing.T, want int) {
	t.Helper()
	neighbour.Eventually(t, strconv.Itoa(want)+" answers to wait", func() bool { return r.len() == want })
}

// TestAnswersAreSentAgain loses Redis on either side of an answer.
func TestAnswersAreSentAgain(t *testing.T) {
	server := miniredis.RunT(t)
	device, answering := connect(t, "redis://"+server.Addr(), redis.Single)
	_, asking := connect(t, "redis://"+server.Addr(), redis.Single)
	f := func(lose, restore func()) {
		t.Helper()
		c := Command{Application: "app", Gateway: "d", Device: "d", Name: "get"}
		expected, err := asking.Expect(t.Context(), &c)
		if err != nil {
			t.Fatal(err)
		}
		defer expected.Close()
		lose()
		device.Answer(c.Correlation, Answer{Application: "app", Device: "d", Payload: []byte("21.5")})
		answering.reporter.again.await(t, 1)
		restore()
		if got, _ := expected.Wait(t.Context(), "d"); string(got.Payload) != "21.5" {
			t.Errorf("got %+v", got)
		}
		answering.reporter.again.await(t, 0)
	}
	f(func() { server.SetError("LOADING") }, func() { server.SetError("") })
	replies := asking.from(asking.name)
	f(func() {
		asking.channels.Unsubscribe(replies)
		neighbour.Eventually(t, "nobody to hear replies", func() bool { return server.PubSubNumSub(replies)[replies] == 0 })
	}, func() {
		if err := asking.channels.Subscribe(t.Context(), replies); err != nil {
			t.Error(err)
		}
	})
}

// TestReceiptsAreSentOnce has nothing wait for a sender who counts each receipt.
func TestReceiptsAreSentOnce(t *testing.T) {
	server := miniredis.RunT(t)
	_, r := connect(t, "redis://"+server.Addr(), redis.Single)
	server.SetError("LOADING")
	r.reply("sender", reply{ID: "1"}, nil)
	r.reporter.close()
	if n := r.reporter.again.len(); n > 0 {
		t.Errorf("%d receipts wait", n)
	}
}

func TestRepeaterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped, attempts atomic.Int64
		unheard := func(batch []report) []report {
			if len(batch) > reportBatch {
				t.Errorf("a batch of %d", len(batch))
			}
			attempts.Add(1)
			return batch
		}
		r := newRepeater(unheard, func(n int) { dropped.Add(int64(n)) })
		began := time.Now()
		for range maxRepeats + 1 {
			r.put(report{message: []byte("x"), until: began.Add(answerFor)})
		}
		r.put(report{message: make([]byte, maxRepeated), until: began.Add(answerFor)})
		if n := dropped.Load(); n != 2 {
			t.Errorf("%d beyond the bounds", n)
		}
		r.running.Wait()
		if took := time.Since(began); dropped.Load() != maxRepeats+2 || took < answerFor || took > answerFor+longestRepeat {
			t.Errorf("%d dropped after %v", dropped.Load(), took)
		}
		attempts.Store(0)
		r.put(report{until: time.Now().Add(answerFor)})
		r.close()
		r.put(report{until: time.Now().Add(answerFor)})
		if n := attempts.Load(); n != 1 || dropped.Load() != maxRepeats+4 {
			t.Errorf("%d attempts at the end, %d dropped", n, dropped.Load())
		}
	})
}
