package bridge

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead/fairlead/internal/outcome"
)

func TestQoS0(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		l.publish(0, "site/a/x", "1")
		l.publish(0, "nowhere", "2")
		l.publish(0, "site/stranger/x", "3")
		l.publish(0, "site/a/x", "4")
		settled()
		f.stored("1", "4")
		l.silent()
	})
}

// TestQoS0WaitsForItsPlace has more messages come at once than there are places, while Kafka does its work.
func TestQoS0WaitsForItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 2
		f := newFixture(t, c)
		l := f.connected()
		want := make([]string, 500)
		for i := range want {
			want[i] = strconv.Itoa(i)
			l.publish(0, "site/a/x", want[i])
		}
		f.stored(want...)
	})
}

// TestQoS0IsDropped has messages come while nothing can be stored. Those of QoS 0 that have no place are lost, others and
// the connection are not.
func TestQoS0IsDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := testConfig()
		c.InFlight = 2
		f := newFixture(t, c)
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""))
		began := time.Now()
		for i := range 1000 {
			l.publish(0, "site/a/x", strconv.Itoa(i))
		}
		l.publish(1, "site/b/x", "certain")
		synctest.Wait()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		l.silent()
		f.writer.fail(nil)
		l.acknowledged(1)
		settled()
		f.storedByDevice(map[string][]string{"a": {"0", "1"}, "b": {"certain"}})
		if took := time.Since(began); took > 7*time.Minute {
			t.Errorf("it took %v", took)
		}
		l.publish(0, "site/a/x", "later")
		f.storedByDevice(map[string][]string{"a": {"0", "1", "later"}, "b": {"certain"}})
	})
}

func TestQoS0AtAStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, testConfig())
		l := f.connected()
		f.writer.fail(outcome.New(outcome.Unavailable, ""), "2")
		l.publish(0, "site/a/x", "1")
		l.publish(0, "site/b/x", "2")
		synctest.Wait()
		f.finish()
		f.stored("1")
		if n := len(f.bridge.intake.unacknowledged); n != 0 {
			t.Errorf("%d places are taken", n)
		}
	})
}
