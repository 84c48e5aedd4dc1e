package stream

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
)

func TestNewGroupBeginsAtTheEndAndContinuesWhereItStopped(t *testing.T) {
	b := newBroker(t, 1)
	b.produce(text("before", 0))
	r := &recorder{}
	first := b.member(b.cluster(), 8, r.handle)
	b.produce(text("a", 0))
	r.await(t, 1)
	neighbour.Eventually(t, "no lag", func() bool { return first.Status() == Status{State: Running} })
	first.end()
	if s := first.Status(); s != (Status{State: Stopped}) {
		t.Errorf("status %+v", s)
	}
	b.produce(text("b", 0)) // while nobody runs
	b.member(b.cluster(), 8, r.handle)
	r.await(t, 2)
	if diff := cmp.Diff([]string{"a", "b"}, r.got()); diff != "" {
		t.Error(diff)
	}
}

func TestCommittedIsTheBeginningThatIsDone(t *testing.T) {
	b := newBroker(t, 1)
	r := &recorder{keep: everything}
	m := b.member(b.cluster(), 8, r.handle)
	b.produce(text("slow", 0), text("b", 0), text("c", 0), text("d", 0))
	r.await(t, 4)
	if diff := cmp.Diff([]string{"slow", "b", "c", "d"}, r.got()); diff != "" {
		t.Error(diff)
	}
	kept := r.deliveries()
	kept[1].Done()
	kept[2].Done()
	kept[2].Abandon() // comes too late
	kept[1].Done()
	if got := b.committed(0); got != 0 {
		t.Errorf("offset %d is committed while the first record is on its way", got)
	}
	if lag := m.Status().Lag; lag != 4 {
		t.Errorf("lag %d", lag)
	}
	kept[0].Done()
	b.awaitCommit(0, 3)
	kept[3].Abandon()
	kept[3].Done() // comes too late
	m.end()
	if got := b.committed(0); got != 3 {
		t.Errorf("offset %d is committed, though the last record was given up", got)
	}
}

func TestAtMostTheLimitIsOnItsWay(t *testing.T) {
	f := func(limit int) {
		t.Helper()
		b := newBroker(t, 1)
		handed := make(chan *Delivery, 3*highRecords)
		b.member(b.cluster(), limit, func(_ context.Context, d *Delivery) { handed <- d })
		const all = 3 * highRecords
		b.produceMany(all, 0)
		var onTheWay []*Delivery
		for next := range all {
			d := <-handed
			if want := strconv.Itoa(next); string(d.Record.Value) != want {
				t.Fatalf("limit %d: %s came, want %s", limit, d.Record.Value, want)
			}
			onTheWay = append(onTheWay, d)
			if len(onTheWay) < limit && next < all-1 {
				continue
			}
			if len(handed) > 0 {
				t.Fatalf("limit %d: more are on their way", limit)
			}
			onTheWay[0].Done()
			onTheWay = onTheWay[1:]
		}
		for _, d := range onTheWay {
			d.Done()
		}
		b.awaitCommit(0, all)
	}
	f(1)
	f(32)
}

// A record that is never settled does not let the others get ahead without an end.
func TestTheOthersGetAheadByABoundedNumber(t *testing.T) {
	b := newBroker(t, 1)
	r := &recorder{keep: func(d *Delivery) bool { return d.Record.Offset == 0 }}
	b.member(b.cluster(), 4, r.handle)
	const all = maxAhead + 2*highRecords
	b.produceMany(all, 0)
	r.await(t, maxAhead)
	kept := r.deliveries()
	if n := len(r.got()); n != maxAhead {
		t.Errorf("%d records were handed out", n)
	}
	kept[0].Done()
	b.awaitCommit(0, all)
	if n := len(r.got()); n != all {
		t.Errorf("%d records were handed out, of %d", n, all)
	}
}

func TestCrashBetweenDoneAndCommitHandsOutAgain(t *testing.T) {
	b := newBroker(t, 1)
	r := &recorder{}
	first := b.member(b.cluster(), 8, r.handle)
	refuseCommits(b)
	b.produce(text("a", 0))
	r.await(t, 1)
	first.end()
	b.member(b.cluster(), 8, r.handle)
	r.await(t, 2)
	if diff := cmp.Diff([]string{"a", "a"}, r.got()); diff != "" {
		t.Error(diff)
	}
}

// refuseCommits lets no commit get through, as if the process died before it.
func refuseCommits(b *broker) {
	b.kafka.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.kafka.KeepControl()
		r := request.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range request.(*kmsg.OffsetCommitRequest).Topics {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.GroupAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
		return r, nil, true
	})
}

func TestRebalanceHandsOverWithoutLossOrRepetition(t *testing.T) {
	b := newBroker(t, 4)
	r := &recorder{}
	first := b.member(b.cluster(), 8, r.handle)
	const all = 400
	for i := range all {
		b.produce(text(strconv.Itoa(i), int32(i%4)))
		if i == all/4 {
			b.member(b.cluster(), 8, r.handle)
		}
		if i == all/2 {
			first.end()
		}
	}
	r.await(t, all)
	b.awaitCommit(3, all/4)
	got := r.got()
	slices.Sort(got)
	if n := len(slices.Compact(slices.Clone(got))); n != all || len(got) != all {
		t.Errorf("%d records, of which %d are different, were handed out; want %d", len(got), n, all)
	}
}

// What is on its way may end when the consumer does, and what is given up stays for the next owner.
func TestEndLetsDeliveriesEnd(t *testing.T) {
	b := newBroker(t, 2)
	free := make(chan struct{})
	handed := make(chan struct{}, 2)
	m := b.member(b.cluster(), 8, func(_ context.Context, d *Delivery) {
		handed <- struct{}{}
		go func() {
			<-d.Stopping()
			if d.Record.Partition == 0 {
				d.Abandon()
				return
			}
			<-free
			d.Done()
		}()
	})
	b.produce(text("given up", 0), text("slow", 1))
	<-handed
	<-handed
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.end()
	}()
	close(free)
	<-ended
	if zero, one := b.committed(0), b.committed(1); zero != 0 || one != 1 {
		t.Errorf("committed are %d and %d, want 0 and 1", zero, one)
	}
}

func TestDeliveriesEndWithTheirContext(t *testing.T) {
	b := newBroker(t, 1)
	handed := make(chan struct{})
	m := b.member(b.cluster(), 8, func(ctx context.Context, d *Delivery) {
		close(handed)
		<-ctx.Done()
		d.Abandon()
	})
	b.produce(text("a", 0))
	<-handed
	m.abort()
	m.end()
	if got := b.committed(0); got != 0 {
		t.Errorf("offset %d is committed", got)
	}
}

// A burst never waits for a fetch that finds nothing: here such a fetch of the other partitions, which are empty, lasts for an hour.
func TestBurstWaitsForNoFetch(t *testing.T) {
	f := func(limit, n int) {
		t.Helper()
		b := newBroker(t, 3)
		c := b.cluster()
		c.fetchMaxWait, c.roomTimeout = time.Hour, time.Hour
		r := &recorder{}
		b.member(c, limit, r.handle)
		b.produceMany(n, 0)
		r.await(t, n)
	}
	f(32, 20*highRecords)
	f(1, 6*highRecords)
}

// A partition that is stuck keeps the others waiting for a while only, and catches up when it is free.
func TestStuckPartitionDoesNotStopTheOthers(t *testing.T) {
	b := newBroker(t, 3)
	c := b.cluster()
	c.fetchMaxWait, c.roomTimeout = 50*time.Millisecond, 50*time.Millisecond
	free := make(chan struct{})
	r := &recorder{}
	b.member(c, 1, func(ctx context.Context, d *Delivery) {
		if d.Record.Partition == 0 {
			<-free
		}
		r.handle(ctx, d)
	})
	const stuck, others = 4 * highRecords, 3 * highRecords
	b.produceMany(stuck, 0)
	b.produceMany(others, 1)
	r.await(t, others)
	close(free)
	r.await(t, stuck+others)
}

func TestMissingTopicIsWaitedFor(t *testing.T) {
	b := newBroker(t, 1)
	const missing = "events-apps"
	r := &recorder{}
	m := &member{Consumer: b.cluster().NewConsumer(Options{Topic: missing, Group: group, Handler: r.handle})}
	b.run(m)
	s := m.Status()
	if s.State != Waiting || !strings.Contains(s.Reason, "does not exist") || !strings.Contains(s.Reason, "did you mean app?") {
		t.Fatalf("status %+v", s)
	}
	if err := kafka.EnsureTopics(t.Context(), b.config(), 1, missing); err != nil {
		t.Fatal(err)
	}
	neighbour.Eventually(t, "the start", func() bool { return m.Status().State == Running })
	b.produce(&kgo.Record{Topic: missing, Value: []byte("a")})
	r.await(t, 1)
}

func TestCoordinatorThatIsBeingChosenIsWaitedFor(t *testing.T) {
	b := newBroker(t, 1)
	failures := 6
	b.kafka.ControlKey(int16(kmsg.OffsetFetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.kafka.KeepControl()
		if failures--; failures < 0 {
			return nil, nil, false
		}
		r := request.ResponseKind().(*kmsg.OffsetFetchResponse)
		r.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		for _, group := range request.(*kmsg.OffsetFetchRequest).Groups {
			g := kmsg.NewOffsetFetchResponseGroup()
			g.Group, g.ErrorCode = group.Group, kerr.CoordinatorLoadInProgress.Code
			r.Groups = append(r.Groups, g)
		}
		return r, nil, true
	})
	r := &recorder{}
	m := b.member(b.cluster(), 8, r.handle)
	if s := m.Status(); s.State != Running {
		t.Fatalf("status %+v", s)
	}
	b.produce(text("a", 0))
	r.await(t, 1)
}
