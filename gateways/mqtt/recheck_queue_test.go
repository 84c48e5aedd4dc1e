package mqtt

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A diary is a recheckQueue that runs and writes down what it does.
type diary struct {
	*recheckQueue
	started time.Time
	stop    context.CancelFunc
	hold    chan struct{} // if not nil, what is done lasts until it is closed
	done    []recheckDone
}

type recheckDone struct {
	session *session
	after   time.Duration
}

func newDiary(t *testing.T, slots int) *diary {
	d := &diary{recheckQueue: newRecheckQueue(slots), started: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	d.stop = stop
	did := make(chan recheckDone, 100)
	go func() {
		for a := range did {
			d.done = append(d.done, a)
		}
	}()
	go func() {
		d.run(ctx, func(ctx context.Context, s *session) {
			did <- recheckDone{s, time.Since(d.started)}
			if d.hold != nil {
				<-d.hold
			}
		})
		close(did)
	}()
	return d
}

func appointed() *session {
	s := &session{}
	s.recheck = recheck{session: s, index: -1}
	return s
}

func TestCalendarKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(t, 4)
		a, b, c, gone := appointed(), appointed(), appointed(), appointed()
		synctest.Wait()
		d.put(&a.recheck, d.started.Add(3*time.Second))
		d.put(&b.recheck, d.started.Add(2*time.Second))
		d.put(&gone.recheck, d.started.Add(time.Second))
		d.put(&c.recheck, d.started.Add(time.Hour))
		d.put(&c.recheck, d.started.Add(time.Second)) // moved
		d.put(&c.recheck, d.started.Add(4*time.Second))
		d.remove(&gone.recheck)
		d.put(&gone.recheck, d.started.Add(time.Second))
		if got := d.len(); got != 3 {
			t.Errorf("%d entries", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []recheckDone{{b, 2 * time.Second}, {a, 3 * time.Second}, {c, 4 * time.Second}}
		if !slices.Equal(d.done, want) {
			t.Errorf("done %v, want %v", d.done, want)
		}
		d.put(&a.recheck, time.Now()) // again
		synctest.Wait()
		if last := d.done[len(d.done)-1]; len(d.done) != 4 || last != (recheckDone{a, time.Minute}) {
			t.Errorf("done %v", d.done)
		}
		d.stop()
		synctest.Wait()
	})
}

func TestCalendarDoesABoundedNumberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(t, 2)
		d.hold = make(chan struct{})
		for range 5 {
			d.put(&appointed().recheck, time.Now())
		}
		synctest.Wait()
		if len(d.done) != 2 {
			t.Errorf("%d at once, want 2", len(d.done))
		}
		close(d.hold)
		synctest.Wait()
		if len(d.done) != 5 {
			t.Errorf("%d done, want 5", len(d.done))
		}
		d.stop()
		synctest.Wait()
	})
}
