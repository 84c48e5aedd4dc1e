package stream

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPositions(t *testing.T) {
	f := func(name string, take, finish []int64, want int64, moves int) {
		t.Helper()
		var p positions
		taken := map[int64]*position{}
		for _, o := range take {
			taken[o] = p.take(o, int32(o))
		}
		moved := 0
		for _, o := range finish {
			if p.finish(taken[o]) {
				moved++
			}
		}
		if p.next != want || moved != moves {
			t.Errorf("%s: next %d after %d moves, want %d after %d", name, p.next, moved, want, moves)
		}
		if moves > 0 && int64(p.epoch) != p.next-1 {
			t.Errorf("%s: epoch %d is not that of record %d", name, p.epoch, p.next-1)
		}
	}
	f("in order", []int64{5, 6, 7}, []int64{5, 6}, 7, 2)
	f("the first one is missing", []int64{5, 6, 7}, []int64{6, 7}, 5, 0)
	f("the gap closes", []int64{5, 6, 7}, []int64{6, 7, 5}, 8, 1)
	f("compacted topic", []int64{5, 9, 20}, []int64{9, 5}, 10, 1)
	f("twice", []int64{5, 6}, []int64{5, 5}, 6, 1)
	f("topic made anew", []int64{5, 6, 0, 1}, []int64{5, 6}, 0, 0)
	f("topic made anew, and read", []int64{5, 6, 0, 1}, []int64{6, 5, 0}, 1, 1)
}

// paused makes a partition that notes whether it is fetched.
func paused(t *testing.T) (p *partition, is *bool) {
	t.Helper()
	metrics, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	is = new(bool)
	p = newPartition(1, func(_ context.Context, d *Delivery) { d.Done() }, metrics)
	p.mark = func(kgo.EpochOffset) {}
	p.pause = func(stop bool) { *is = stop }
	return p, is
}

// large are records of a megabyte.
func large(first, n int) (records []*kgo.Record) {
	for i := range n {
		records = append(records, &kgo.Record{Offset: int64(first + i), Value: make([]byte, 1<<20)})
	}
	return records
}

func TestWaitingRecordsAreBoundedInBytes(t *testing.T) {
	p, isPaused := paused(t)
	p.push(large(0, highBytes>>20-1), 100)
	if p.full() {
		t.Error("full before the bound")
	}
	p.push(large(100, 1), 100)
	if !p.full() {
		t.Error("not full at the bound")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.makeRoom(ended)
	if !*isPaused {
		t.Fatal("is fetched, though it stays full")
	}
	for len(p.queue) > lowBytes>>20+1 {
		p.pop()
	}
	if !*isPaused {
		t.Error("is fetched again too early")
	}
	p.pop()
	if *isPaused {
		t.Error("is not fetched again")
	}
}

func TestStoppedPartitionTakesNothing(t *testing.T) {
	p, _ := paused(t)
	p.start(t.Context())
	p.stop(t.Context())
	p.stop(t.Context())
	p.push(large(0, 1), 1)
	if len(p.queue) > 0 {
		t.Error("took a record")
	}
}

// BenchmarkPartition is what a record costs between Kafka's client and the handler, with what is told to the client.
func BenchmarkPartition(b *testing.B) {
	metrics, err := newMetrics()
	if err != nil {
		b.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.AutoCommitMarks())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	settled := make(chan struct{}, lowRecords)
	p := newPartition(32, func(_ context.Context, d *Delivery) {
		d.Done()
		settled <- struct{}{}
	}, metrics)
	p.mark = func(next kgo.EpochOffset) {
		client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: next}})
	}
	p.start(b.Context())
	records := make([]*kgo.Record, lowRecords)
	for i := range records {
		records[i] = &kgo.Record{Value: make([]byte, 100)}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%lowRecords == 0 {
			for i := range records {
				records[i].Offset = int64(n + i)
			}
			p.push(records, int64(n+lowRecords))
		}
		<-settled
	}
	p.stop(b.Context())
}
