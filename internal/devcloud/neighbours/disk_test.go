package neighbours

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/test/neighbour"
)

const diskTopic = "events-disk"

// said is what a broker process has written.
func said(t *testing.T, folder string) string {
	t.Helper()
	text, err := os.ReadFile(folder + ".log")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// produce writes records until the broker has failed, and returns those that were acknowledged.
func produce(t *testing.T, address string, most int, failed func() bool, more func(int) string) (acknowledged []string) {
	t.Helper()
	c, admin := client(t, address, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	done := make(chan struct{})
	defer close(done)
	go func() { // a client that is idempotent waits for ever for what it does not know
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !failed() {
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
		c.Close()
	}()
	if _, err := admin.CreateTopics(t.Context(), 3, 1, nil, diskTopic); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var refused bool
	for i := 0; i < most; i += 10 {
		var group sync.WaitGroup
		for j := i; j < min(i+10, most); j++ {
			group.Add(1)
			value := more(j)
			c.Produce(t.Context(), &kgo.Record{Topic: diskTopic, Value: []byte(value)}, func(_ *kgo.Record, err error) {
				defer group.Done()
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused = true
					return
				}
				acknowledged = append(acknowledged, value)
			})
		}
		group.Wait()
		if refused {
			break
		}
	}
	return acknowledged
}

// stored reads everything, or as much as there is.
func stored(t *testing.T, address string) (values []string) {
	t.Helper()
	c, admin := client(t, address, kgo.ConsumeTopics(diskTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := admin.ListEndOffsets(t.Context(), diskTopic)
	if err != nil {
		t.Fatal(err)
	}
	starts, err := admin.ListStartOffsets(t.Context(), diskTopic)
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]bool{}
	for partition, end := range ends[diskTopic] {
		if end.Offset > starts[diskTopic][partition].Offset {
			left[partition] = true
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(left) > 0 && ctx.Err() == nil {
		c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			values = append(values, string(r.Value))
			if r.Offset == ends[diskTopic][r.Partition].Offset-1 {
				delete(left, r.Partition)
			}
		})
	}
	return values
}

func missing(wanted, have []string) (list []string) {
	for _, value := range wanted {
		if !slices.Contains(have, value) {
			list = append(list, value[:min(len(value), 8)])
		}
	}
	return list
}

// A limit on the size of files stands for a full disk: it works for everybody, and on every machine.
func TestFullDiskStopsKafkaAndLosesNothing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "kafka")
	address, kill := startBrokerProcess(t, folder, limitVariable+"=100000")
	acknowledged := produce(t, address, 5000, func() bool { return strings.Contains(said(t, folder), "FAILED") }, func(i int) string { return fmt.Sprintf("%06d %s", i, strings.Repeat("x", 1000)) })
	if n := len(acknowledged); n == 0 || n == 5000 {
		t.Fatalf("%d records were acknowledged", n)
	}
	neighbour.Eventually(t, "the complaint", func() bool { return strings.Contains(said(t, folder), "FAILED") })
	if text := said(t, folder); !strings.Contains(text, "file too large") || !strings.Contains(text, folder) {
		t.Errorf("said %q", text)
	}
	kill()

	address, _ = startBrokerProcess(t, folder)
	if lost := missing(acknowledged, stored(t, address)); len(lost) > 0 {
		t.Errorf("%d of %d acknowledged records are lost: %v", len(lost), len(acknowledged), lost)
	}
}

func TestNoTopicIsMadeOnAFullDisk(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "kafka")
	address, _ := startBrokerProcess(t, folder, limitVariable+"=100") // enough to start
	c, admin := client(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answer, err := admin.CreateTopics(ctx, 1, 1, nil, diskTopic)
	if err == nil && answer[diskTopic].Err == nil {
		t.Error("the topic was made")
	}
	neighbour.Eventually(t, "the complaint", func() bool { return strings.Contains(said(t, folder), "FAILED") })
	c.Close()
}

func TestAFolderThatIsGoneStopsKafka(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "kafka")
	failed := make(chan error, 1)
	k, err := StartKafka(KafkaOptions{Address: "127.0.0.1:0", Folder: folder, Sync: true, Failed: func(err error) { failed <- err }})
	if err != nil {
		t.Fatal(err)
	}
	address := k.Addresses()[0]
	stopped := func() bool { return k.disk.failure() != nil }
	if got := produce(t, address, 10, stopped, func(i int) string { return fmt.Sprint(i) }); len(got) != 10 {
		t.Fatalf("%d records were acknowledged", len(got))
	}
	if err := k.disk.failure(); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "partitions")); err != nil {
		t.Fatal(err)
	}
	if got := produce(t, address, 10, stopped, func(i int) string { return fmt.Sprint(i) }); len(got) != 0 {
		t.Errorf("%d records were acknowledged", len(got))
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), folder) {
		t.Errorf("%v", err)
	}
	if err := k.disk.failure(); err == nil {
		t.Error("it is ready")
	}
	if err := k.Close(); err != nil {
		t.Errorf("what was said before is said again: %v", err)
	}
}

// TestSaysWhatToDo has the reason decide what the user is told to do.
func TestSaysWhatToDo(t *testing.T) {
	for cause, want := range map[error]string{
		syscall.ENOSPC: "make room or mend the disk of /data", syscall.EMFILE: "ulimit -n", syscall.ENFILE: "ulimit -n",
	} {
		err := stopped(&os.PathError{Op: "open", Path: "/data/groups.log", Err: cause}, "/data")
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

// damagedBroker makes a folder with records, lets a test damage a segment, and starts a broker on it. It returns what was
// stored and what is left, and what the broker said.
func damagedBroker(t *testing.T, damage func(folder, segment string)) (before, after []string, log string) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "kafka")
	start := func(log *bytes.Buffer) *Kafka {
		k, err := StartKafka(KafkaOptions{Address: "127.0.0.1:0", Folder: folder, Logger: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var first, second bytes.Buffer
	k := start(&first)
	before = produce(t, k.Addresses()[0], 60, func() bool { return false }, func(i int) string { return fmt.Sprintf("%03d", i) })
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if first.Len() > 0 {
		t.Errorf("a new broker says %s", first.String())
	}
	segments, err := filepath.Glob(filepath.Join(folder, "partitions", diskTopic+"-*", "0.dat"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("%v, %v", segments, err)
	}
	damage(folder, segments[0])
	k = start(&second)
	after = stored(t, k.Addresses()[0])
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	return before, after, second.String()
}

func TestDamageIsSaid(t *testing.T) {
	change := func(do func([]byte) []byte) func(string, string) {
		return func(_, segment string) {
			text, err := os.ReadFile(segment)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segment, do(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := func(name string, damage func(folder, segment string), loses bool, want ...string) {
		t.Helper()
		before, after, log := damagedBroker(t, damage)
		lost := missing(before, after)
		if loses != (len(lost) > 0) {
			t.Errorf("%s: lost %v", name, lost)
		}
		for _, w := range append(want, diskTopic+", partition ") {
			if !strings.Contains(log, w) {
				t.Errorf("%s: %q lacks %q", name, log, w)
			}
		}
		if n := fmt.Sprintf(" %d ", len(lost)); loses && !strings.Contains(log, n) {
			t.Errorf("%s: %q does not say that %d are lost", name, log, len(lost))
		}
	}
	f("a flipped bit in the last batch", change(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), true, "records are lost", "damaged")
	f("a flipped bit in the first batch", change(func(b []byte) []byte { b[70] ^= 1; return b }), true, "records are lost", "from offset 0 on")
	f("zeros", change(func(b []byte) []byte { return make([]byte, len(b)) }), true)
	f("cut short", change(func(b []byte) []byte { return b[:len(b)-5] }), true, "from offset")
	f("empty", change(func([]byte) []byte { return nil }), true, "from offset 0")
	f("garbage at the end", change(func(b []byte) []byte { return append(b, "garbage"...) }), false, "7 bytes")
	f("a file that is gone", func(_, segment string) {
		if err := os.Remove(segment); err != nil {
			t.Fatal(err)
		}
	}, true, "are in no file")
}

func FuzzReadBatches(f *testing.F) {
	f.Add([]byte("garbage"))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 60}, 40))
	f.Fuzz(func(t *testing.T, text []byte) {
		good, end, err := readBatches(bytes.NewReader(text), 0)
		if err != nil || good > int64(len(text)) || good == 0 && end != 0 {
			t.Errorf("%d, %d, %v", good, end, err)
		}
		loss(text, 0, -1)
	})
}

func FuzzRequests(f *testing.F) {
	f.Add([]byte{0, 0, 0, 10, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0}, 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		whole, parts := &connection{}, &connection{}
		whole.note(text)
		cut = max(0, min(cut, len(text)))
		parts.note(text[:cut])
		parts.note(text[cut:])
		if !slices.Equal(whole.asked, parts.asked) || len(whole.asked) > maxAsked {
			t.Errorf("%v, %v", whole.asked, parts.asked)
		}
	})
}
