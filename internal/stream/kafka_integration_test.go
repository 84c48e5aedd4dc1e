//go:build integration

package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
	"github.com/fairlead/fairlead/test/neighbour"
	"github.com/fairlead/fairlead/test/numbered"
)

// memberOf tells this binary to be a member of a group, as topic@broker, and nothing else.
const memberOf = "FAIRLEAD_TEST_MEMBER_OF"

func TestMain(m *testing.M) {
	if of, ok := os.LookupEnv(memberOf); ok {
		fmt.Fprintln(os.Stderr, consumeAsProcess(of))
		os.Exit(1)
	}
	os.Exit(neighbour.Main(m))
}

// consumeAsProcess writes a line when it has its place, and one for each record before it settles it, until it is killed. When the
// test that started it is no more, its input ends, and so does it.
func consumeAsProcess(of string) error {
	topic, address, _ := strings.Cut(of, "@")
	cluster, err := Connect(kafka.Config{Brokers: []string{address}})
	if err != nil {
		return err
	}
	lines := json.NewEncoder(os.Stdout)
	var mu sync.Mutex
	c := cluster.NewConsumer(Options{Topic: topic, Group: group + topic, Limit: 1, Handler: func(_ context.Context, d *Delivery) {
		mu.Lock()
		defer mu.Unlock()
		if err := lines.Encode(stored(d.Record)); err != nil {
			d.Abandon()
			return
		}
		d.Done()
	}})
	go func() {
		<-c.Settled()
		if s := c.Status(); s.State != Running {
			fmt.Fprintf(os.Stderr, "the member does not run: %+v\n", s)
			os.Exit(1)
		}
		mu.Lock()
		defer mu.Unlock()
		_ = lines.Encode(numbered.Stored{}) // if nobody reads it, nobody reads what follows
	}()
	ctx, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	c.Run(ctx, ctx)
	return nil
}

// stored reads a numbered message where it was found; its number is 0 if the record is none.
func stored(record *kgo.Record) numbered.Stored {
	m, _ := numbered.ParseMessage(record.Value)
	return numbered.Stored{Message: m, Partition: record.Partition, Offset: record.Offset}
}

// A numberedTopic is a topic of a real Kafka into which devices send numbered messages, and what consumers got of them.
type numberedTopic struct {
	*testing.T
	name     string
	address  string
	checker  *numbered.Checker
	producer *kgo.Client

	mu   sync.Mutex
	sent int
	got  []numbered.Stored // in the order in which it came
	came map[numbered.Message]bool
}

func newNumberedTopic(t *testing.T) *numberedTopic {
	t.Helper()
	server := neighbour.SharedKafka(t)
	n := &numberedTopic{T: t, name: server.Topic(t, 6), address: server.Brokers()[0], checker: numbered.New(), came: map[numbered.Message]bool{}}
	producer, err := kgo.NewClient(kgo.SeedBrokers(n.address), kgo.DefaultProduceTopic(n.name), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	n.producer = producer
	neighbour.Eventually(t, "the new topic", func() bool {
		ends, err := kadm.NewClient(producer).ListEndOffsets(t.Context(), n.name)
		return err == nil && ends.Error() == nil
	})
	return n
}

// send sends a number of each of twelve devices, and waits until Kafka has them.
func (n *numberedTopic) send() {
	n.Helper()
	var records []*kgo.Record
	var messages []numbered.Message
	for device := range 12 {
		m := n.checker.Next("device" + strconv.Itoa(device))
		messages = append(messages, m)
		records = append(records, &kgo.Record{Key: []byte(m.Device), Value: m.Body()})
	}
	if err := n.producer.ProduceSync(n.Context(), records...).FirstErr(); err != nil {
		n.Fatal(err)
	}
	for _, m := range messages {
		n.checker.Answered(m, numbered.Acknowledged)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent += len(messages)
}

// missing is how many messages were sent and did not come yet.
func (n *numberedTopic) missing() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent - len(n.came)
}

// sendUntil sends in a loop until a condition holds, as long as not too much waits.
func (n *numberedTopic) sendUntil(what string, condition func() bool) {
	n.Helper()
	neighbour.Eventually(n, what, func() bool {
		if n.missing() < 3000 {
			n.send()
		}
		return condition()
	})
}

func (n *numberedTopic) note(s numbered.Stored) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, s)
	n.came[s.Message] = true
}

func (n *numberedTopic) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.got)
}

// faults are those of what came so far, but for some kinds.
func (n *numberedTopic) faults(but ...numbered.Kind) []numbered.Fault {
	n.mu.Lock()
	got := slices.Clone(n.got)
	n.mu.Unlock()
	return slices.DeleteFunc(n.checker.Verify(got), func(f numbered.Fault) bool { return slices.Contains(but, f.Kind) })
}

// awaitAll waits until every message came.
func (n *numberedTopic) awaitAll() {
	n.Helper()
	defer func() {
		if n.Failed() {
			n.Log(numbered.Summary(n.faults()))
		}
	}()
	neighbour.Eventually(n, "every message", func() bool { return n.missing() == 0 })
}

// deliver settles deliveries a little later, so that they end in another order than they began. When a partition stops, half of what
// is on its way is given up, if there is one record at a time. Of several, those behind one that is given up would come again.
func (n *numberedTopic) deliver(limit int) Handler {
	return func(_ context.Context, d *Delivery) {
		go func() {
			select {
			case <-time.After(rand.N(2 * time.Millisecond)):
			case <-d.Stopping():
				if limit == 1 && d.Record.Offset%2 == 0 {
					d.Abandon()
					return
				}
			}
			n.note(stored(d.Record))
			d.Done()
		}()
	}
}

// member runs a member of the group in this process; end lets it leave.
func (n *numberedTopic) member(limit int) (c *Consumer, end func()) {
	n.Helper()
	cluster, err := Connect(kafka.Config{Brokers: []string{n.address}})
	if err != nil {
		n.Fatal(err)
	}
	c = cluster.NewConsumer(Options{Topic: n.name, Group: group + n.name, Limit: limit, Handler: n.deliver(limit)})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, context.Background()) })
	end = sync.OnceFunc(func() {
		stop()
		running.Wait()
		cluster.Close()
	})
	n.Cleanup(end)
	<-c.Settled()
	if s := c.Status(); s.State != Running {
		n.Fatalf("status %+v", s)
	}
	return c, end
}

// A group of two members, of which one joins and the other leaves under load, gets every message once.
func TestMembersThatComeAndGoLoseAndRepeatNothing(t *testing.T) {
	f := func(name string, limit int, but ...numbered.Kind) {
		t.Run(name, func(t *testing.T) {
			n := newNumberedTopic(t)
			_, endFirst := n.member(limit)
			n.sendUntil("the first messages", func() bool { return n.count() > 500 })
			second, _ := n.member(limit)
			n.sendUntil("partitions of the second member", func() bool { return partitionsOf(second) == 3 })
			before := n.count()
			n.sendUntil("more messages", func() bool { return n.count() > before+500 })
			endFirst()
			n.sendUntil("all partitions of the second member", func() bool { return partitionsOf(second) == 6 })
			n.awaitAll()
			if faults := n.faults(but...); len(faults) > 0 {
				t.Error(numbered.Summary(faults))
			}
		})
	}
	f("in order", 1)
	f("32 at once", 32, numbered.Disordered)
}

func partitionsOf(c *Consumer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.partitions)
}

// A member that is killed loses nothing: what it had not committed comes again, to the other one.
func TestMemberThatIsKilledLosesNothing(t *testing.T) {
	n := newNumberedTopic(t)
	victim := n.process()
	n.sendUntil("the first messages", func() bool { return n.count() > 500 })
	other, _ := n.member(1)
	n.sendUntil("partitions of the other member", func() bool { return partitionsOf(other) == 3 })
	before := n.count()
	n.sendUntil("more messages", func() bool { return n.count() > before+500 })
	victim()
	n.sendUntil("all partitions of the other member", func() bool { return partitionsOf(other) == 6 })
	n.awaitAll()
	if faults := n.faults(numbered.Duplicated); len(faults) > 0 {
		t.Error(numbered.Summary(faults))
	}
	repeated := 0
	for _, f := range n.faults() {
		if f.Kind == numbered.Duplicated {
			repeated++
		}
	}
	t.Logf("%d messages came, %d of them again", n.count(), repeated)
}

// process runs a member in a process of its own. kill kills it and waits until everything that it had is noted.
func (n *numberedTopic) process() (kill func()) {
	n.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), memberOf+"="+n.name+"@"+n.address)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		n.Fatal(err)
	}
	if _, err := command.StdinPipe(); err != nil { // open until the process is killed or this one ends
		n.Fatal(err)
	}
	if err := command.Start(); err != nil {
		n.Fatal(err)
	}
	var reading sync.WaitGroup
	settled := make(chan struct{})
	reading.Go(func() { n.read(output, settled) })
	kill = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		reading.Wait()
		_ = command.Wait() // says that it was killed
	})
	n.Cleanup(kill)
	<-settled
	return kill
}

// read notes what a process says that it got, and closes settled at its first line. Its last one may be cut off.
func (n *numberedTopic) read(output io.Reader, settled chan struct{}) {
	told := sync.OnceFunc(func() { close(settled) })
	defer told()
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var s numbered.Stored
		switch {
		case json.Unmarshal(lines.Bytes(), &s) != nil:
		case s.Number == 0:
			told()
		default:
			n.note(s)
		}
	}
}
