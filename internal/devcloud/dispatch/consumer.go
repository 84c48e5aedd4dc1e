package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/registry"
	"github.com/fairlead/fairlead/triggers"
)

const (
	commitInterval = 200 * time.Millisecond
	// sessionTimeout is how long Kafka waits for a process that was killed before it gives its partitions to another one.
	sessionTimeout   = 10 * time.Second
	rebalanceTimeout = 30 * time.Second
	// revokeDrain is how long requests on their way may take to end when another process takes a partition over. It is
	// well below rebalanceTimeout.
	revokeDrain = 10 * time.Second
	// setupTimeout is generous because a new cluster makes its topic of offsets when the first group asks for it.
	setupTimeout  = 30 * time.Second
	commitTimeout = 5 * time.Second // of the last commit, after the drain
	retryInterval = time.Second
	placeInterval = 100 * time.Millisecond
	maxFetchBytes = 8 << 20
	// fetchMaxWait is how long Kafka keeps a fetch that finds nothing. A record that comes ends it at once.
	fetchMaxWait = time.Second
	// roomTimeout is how long nothing is polled because a partition is full. It is not shorter than fetchMaxWait; see queueHigh.
	roomTimeout = time.Second
)

// A consumer is the consumer group member of one subscription.
type consumer struct {
	subscription Subscription
	deps         *dependencies
	counts       counts
	settled      chan struct{} // closed once the group has its offsets, or the first attempt failed
	settle       func()

	mu         sync.Mutex
	client     *kgo.Client
	partitions map[int32]*partition
	state      State
	reason     string

	failingSides map[string]bool // what was said to fail
}

func newConsumer(subscription Subscription, deps *dependencies) *consumer {
	c := &consumer{
		subscription: subscription,
		deps:         deps,
		settled:      make(chan struct{}),
		partitions:   map[int32]*partition{},
		failingSides: map[string]bool{},
		state:        Starting,
	}
	c.settle = sync.OnceFunc(func() { close(c.settled) })
	return c
}

// run consumes until the context ends. What keeps it from consuming is tried again every second.
func (c *consumer) run(ctx context.Context) {
	defer c.settle()
	for {
		err := c.consume(ctx)
		if ctx.Err() != nil {
			c.setState(Stopped, "")
			return
		}
		if c.setState(Waiting, err.Error()) {
			c.log().Warn("the Trigger waits", "reason", err.Error())
		}
		c.settle()
		select {
		case <-ctx.Done():
			c.setState(Stopped, "")
			return
		case <-time.After(retryInterval):
		}
	}
}

func (c *consumer) log() *slog.Logger { return c.deps.logger.With("trigger", c.subscription.Name) }

// setState tells whether anything changed.
func (c *consumer) setState(state State, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.state != state || c.reason != reason
	c.state, c.reason = state, reason
	return changed
}

// consume joins the group and hands records out. It returns when the context ends, or when the group cannot be set up.
func (c *consumer) consume(ctx context.Context) error {
	setup, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	if err := c.deps.place(setup, c.subscription.Group, c.subscription.Topic); err != nil {
		return err
	}
	client, err := c.deps.client(c.options()...)
	if err != nil {
		return fmt.Errorf("making a Kafka client: %w", err)
	}
	c.mu.Lock()
	c.client = client
	c.mu.Unlock()
	c.settle()
	c.setState(Running, "")
	for ctx.Err() == nil {
		c.poll(ctx, client)
	}
	c.leave(client)
	return ctx.Err()
}

func (c *consumer) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(c.subscription.Group),
		kgo.ConsumeTopics(c.subscription.Topic),
		// The offsets of a new group are committed before; this is for partitions that were added later, and for offsets
		// that Kafka no longer has. Both are events that nobody has seen.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(commitInterval),
		kgo.SessionTimeout(sessionTimeout),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxBytes(maxFetchBytes),
		kgo.FetchMaxWait(c.deps.fetchMaxWait),
		kgo.OnPartitionsAssigned(func(_ context.Context, client *kgo.Client, assigned map[string][]int32) { c.assign(client, assigned) }),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
			c.release(ctx, revoked)
			c.commit(client)
		}),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, lost map[string][]int32) { c.release(ctx, lost) }),
	}
}

func (c *consumer) poll(ctx context.Context, client *kgo.Client) {
	fetches := client.PollRecords(ctx, maxPoll)
	fetches.EachError(func(_ string, _ int32, err error) {
		if ctx.Err() == nil && !errors.Is(err, context.Canceled) && c.setState(Running, err.Error()) {
			c.log().Warn("fetching events", "error", err)
		}
	})
	if fetches.Err() == nil && len(fetches) > 0 {
		c.setState(Running, "")
	}
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		c.mu.Lock()
		p := c.partitions[fetched.Partition]
		c.mu.Unlock()
		if p != nil && fetched.Err == nil {
			p.push(fetched.Records, fetched.HighWatermark)
		}
	})
	c.makeRoom(ctx)
}

// makeRoom waits until no partition is full. One that stays full is fetched no longer, so that it does not keep the
// others waiting. That is the last resort: a partition that is fetched again may wait long for its next records.
func (c *consumer) makeRoom(ctx context.Context) {
	var full []*partition
	c.mu.Lock()
	for _, p := range c.partitions {
		if p.full() {
			full = append(full, p)
		}
	}
	c.mu.Unlock()
	if len(full) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.deps.roomTimeout)
	defer cancel()
	for _, p := range full {
		p.makeRoom(ctx)
	}
}

func (c *consumer) assign(client *kgo.Client, assigned map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range assigned[c.subscription.Topic] {
		p := newPartition(id, c.subscription.Policy.Ordered)
		p.handle = func(ctx context.Context, record *kgo.Record) error { return c.handle(ctx, p, record) }
		p.mark = func(record *kgo.Record, offset int64) {
			client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{
				record.Topic: {record.Partition: {Epoch: record.LeaderEpoch, Offset: offset}},
			})
		}
		p.pause = func(paused bool) {
			these := map[string][]int32{c.subscription.Topic: {p.id}}
			if paused {
				client.PauseFetchPartitions(these)
			} else {
				client.ResumeFetchPartitions(these)
			}
		}
		// A partition may come back that was given away while it was paused.
		p.pause(false)
		c.partitions[id] = p
		p.start(c.deps.requests)
	}
}

func (c *consumer) handle(ctx context.Context, p *partition, record *kgo.Record) error {
	d := delivery{
		subscription: &c.subscription,
		sender:       c.deps.sender,
		produce:      c.deps.produce,
		metrics:      c.deps.metrics,
		counts:       &c.counts,
		stopping:     p.stopping,
		failing:      c.failing,
		working:      c.working,
	}
	report, err := d.run(ctx, record)
	if err != nil {
		return err
	}
	c.counts.add(report.Result)
	c.deps.metrics.finished(ctx, report.Result)
	c.tell(record, report)
	return nil
}

// failing says once that a side fails and is tried again, until it works again.
func (c *consumer) failing(side string, err error, retries int) {
	c.mu.Lock()
	told := c.failingSides[side]
	c.failingSides[side] = true
	c.mu.Unlock()
	if !told {
		c.log().Warn("a delivery failed and is tried again", "error", err.Error(), "retries", retries)
	}
}

func (c *consumer) working(side string) {
	c.mu.Lock()
	told := c.failingSides[side]
	delete(c.failingSides, side)
	c.mu.Unlock()
	if told {
		c.log().Info(side + " takes events again")
	}
}

// tell logs what an operator has to know, without any payload, and informs the observer.
func (c *consumer) tell(record *kgo.Record, report Report) {
	where := []any{"partition", record.Partition, "offset", record.Offset}
	switch report.Result {
	case Lost:
		c.log().Error("event lost", "id", report.event.ID(), "attempts", report.Attempts, "error", report.Err)
	case DeadLettered:
		c.log().Warn("event went to the dead letter sink", "id", report.event.ID(), "attempts", report.Attempts, "error", report.Err)
	case Invalid:
		c.log().Warn("skipped a record that is not a CloudEvent", append(where, "error", report.Err)...)
	case Filtered:
		if report.Err != nil {
			c.log().Warn("threw an event away, as the Kafka dispatcher does", append(where, "error", report.Err)...)
		}
	case Delivered:
		if name := unfit(report.event); name != "" {
			c.log().Warn("delivered an event that the Kafka dispatcher throws away: an attribute has control characters", append(where, "attribute", name)...)
		}
	}
	if c.deps.observe == nil {
		return
	}
	if report.event != nil {
		shown := report.event.SDK()
		report.Event = &shown
	}
	c.deps.observe(report)
}

// unfit names an attribute whose text cannot stand in a header as it is; "" if there is none.
func unfit(event *triggers.Event) (found string) {
	event.Attributes(func(name, text string) {
		if strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) >= 0 {
			found = name
		}
	})
	return found
}

// release stops the partitions and waits until nothing of them is on its way.
func (c *consumer) release(ctx context.Context, released map[string][]int32) {
	ctx, cancel := context.WithTimeout(ctx, revokeDrain)
	defer cancel()
	var stopping sync.WaitGroup
	c.mu.Lock()
	for _, id := range released[c.subscription.Topic] {
		if p := c.partitions[id]; p != nil {
			delete(c.partitions, id)
			stopping.Go(func() { p.stop(ctx) })
		}
	}
	c.mu.Unlock()
	stopping.Wait()
}

func (c *consumer) commit(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		c.log().Warn("committing offsets; some events may be delivered twice", "error", err)
	}
}

// leave stops all partitions, commits and leaves the group.
func (c *consumer) leave(client *kgo.Client) {
	all := map[string][]int32{}
	c.mu.Lock()
	for id := range c.partitions {
		all[c.subscription.Topic] = append(all[c.subscription.Topic], id)
	}
	c.mu.Unlock()
	c.release(c.deps.requests, all)
	c.commit(client)
	c.mu.Lock()
	c.client = nil
	c.mu.Unlock()
	client.Close()
}

func (c *consumer) status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{
		Subscription: c.subscription.Name, Application: c.subscription.Application, Topic: c.subscription.Topic,
		Group: c.subscription.Group, State: c.state, Reason: c.reason,
	}
	for _, p := range c.partitions {
		s.Lag += p.lag()
	}
	c.counts.fill(&s)
	return s
}

// place gives a new group its place. What passes by itself, such as a coordinator that Kafka is just choosing, is tried
// again until the context ends.
func (d *dependencies) place(ctx context.Context, group, topic string) error {
	for {
		err := d.initialise(ctx, group, topic)
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(placeInterval):
		}
	}
}

// topicPrefix begins the names of the topics of applications.
const topicPrefix = "events-"

// nearest asks whether the topic of another application was meant; "" if none is near.
func (d *dependencies) nearest(ctx context.Context, topic string) string {
	topics, err := d.admin.ListTopics(ctx)
	if err != nil {
		return ""
	}
	var known []string
	for name, found := range topics {
		if application, ok := strings.CutPrefix(name, topicPrefix); ok && found.Err == nil {
			known = append(known, application)
		}
	}
	slices.Sort(known)
	if meant := registry.Nearest(strings.TrimPrefix(topic, topicPrefix), known); meant != "" {
		return "; did you mean " + meant + "?"
	}
	return ""
}

// initialise commits the end of each partition for a group that has no offsets in the topic yet, so that the place at
// which the group starts is settled now and not by the first fetch.
func (d *dependencies) initialise(ctx context.Context, group, topic string) error {
	ends, err := d.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return errors.New("its topic does not exist: no such application is registered" + d.nearest(ctx, topic))
	}
	if err != nil {
		return fmt.Errorf("asking Kafka for the end of the topic: %w", err)
	}
	known, err := d.admin.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("asking Kafka for the offsets of the group: %w", err)
	}
	if len(known[topic]) > 0 {
		return nil
	}
	var start kadm.Offsets
	ends.Each(func(o kadm.ListedOffset) { start.AddOffset(o.Topic, o.Partition, o.Offset, o.LeaderEpoch) })
	committed, err := d.admin.CommitOffsets(ctx, group, start)
	if err == nil {
		err = committed.Error()
	}
	// A group with members was set up by another process.
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) && !errors.Is(err, kerr.RebalanceInProgress) {
		return fmt.Errorf("setting the first offsets of the group: %w", err)
	}
	return nil
}
