package mqtt

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A recordedQueue is a queue that runs and records what it does.
type recordedQueue struct {
	*recheckQueue
	started time.Time
	stop    context.CancelFunc
	hold    chan struct{} // if not nil, what is done lasts until it is closed
	done    []done
}

// done is what was done, and how long after the start.
type done struct {
	recheck *Recheck
	after   time.Duration
}

func newRecordedQueue(t *testing.T, slots int) *recordedQueue {
	d := &recordedQueue{recheckQueue: newRecheckQueue(slots), started: time.Now()}
	ctx, stop := context.WithCancel(t.Context())
	d.stop = stop
	did := make(chan done, 100)
	go func() {
		for a := range did {
			d.done = append(d.done, a)
		}
	}()
	go func() {
		d.run(ctx, func(_ context.Context, r *Recheck) {
			did <- done{r, time.Since(d.started)}
			if d.hold != nil {
				<-d.hold
			}
		})
		close(did)
	}()
	return d
}

func unqueued() *Recheck { return (&Rechecker{}).Add(nil) }

func TestQueueKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRecordedQueue(t, 4)
		a, b, c, gone := unqueued(), unqueued(), unqueued(), unqueued()
		synctest.Wait()
		d.put(a, d.started.Add(3*time.Second))
		d.put(b, d.started.Add(2*time.Second))
		d.put(gone, d.started.Add(time.Second))
		d.put(c, d.started.Add(time.Hour))
		d.put(c, d.started.Add(time.Second)) // moved
		d.put(c, d.started.Add(4*time.Second))
		d.remove(gone)
		d.put(gone, d.started.Add(time.Second))
		if got := d.len(); got != 3 {
			t.Errorf("%d entries", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []done{{b, 2 * time.Second}, {a, 3 * time.Second}, {c, 4 * time.Second}}
		if !slices.Equal(d.done, want) {
			t.Errorf("done %v, want %v", d.done, want)
		}
		d.put(a, time.Now()) // again
		synctest.Wait()
		if last := d.done[len(d.done)-1]; len(d.done) != 4 || last != (done{a, time.Minute}) {
			t.Errorf("done %v", d.done)
		}
		d.stop()
		synctest.Wait()
	})
}

func TestQueueDoesABoundedNumberAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRecordedQueue(t, 2)
		d.hold = make(chan struct{})
		for range 5 {
			d.put(unqueued(), time.Now())
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
