package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/kafka"
)

const (
	commitInterval = 200 * time.Millisecond
	// sessionTimeout is how long Kafka waits for a process that was killed before it gives its partitions to another one.
	sessionTimeout   = 10 * time.Second
	rebalanceTimeout = 30 * time.Second
	// revokeDrain is how long deliveries on their way may take to end when another member takes a partition over. It is
	// well below rebalanceTimeout.
	revokeDrain = 10 * time.Second
	// setupTimeout is generous because a new cluster makes its topic of offsets when the first group asks for it.
	setupTimeout  = 30 * time.Second
	commitTimeout = 5 * time.Second // of the last commit, after the drain
	retryInterval = time.Second
	maxFetchBytes = 8 << 20
	// fetchMaxWait is how long Kafka keeps a fetch that finds nothing. A record that comes ends it at once.
	fetchMaxWait = time.Second
	// roomTimeout is how long nothing is polled because a partition is full. It is not shorter than fetchMaxWait; see highRecords.
	roomTimeout = time.Second
	// idleTimeout is how long no record of a span comes before Kafka is asked whether what is missing is still there.
	idleTimeout = 5 * time.Second
)

// A State says whether a Consumer consumes.
type State string

// The states.
const (
	Starting State = "starting"
	Running  State = "running"
	Waiting  State = "waiting" // cannot start; Status.Reason tells why; tried again every second
	Stopped  State = "stopped"
)

// A Status is a snapshot of one Consumer.
type Status struct {
	State  State
	Reason string // why it waits, or what fetching failed with last; "" if nothing is wrong
	Lag    int64  // records between what is done and the end of the partitions that this member has, as of the last fetch
}

// A Consumer is one member of a consumer group. Its methods are safe for concurrent use.
type Consumer struct {
	cluster *Cluster
	options Options
	settled chan struct{}
	settle  func()

	mu         sync.Mutex
	partitions map[int32]*partition
	state      State
	reason     string
}

func newConsumer(cluster *Cluster, options Options) *Consumer {
	c := &Consumer{
		cluster: cluster, options: options, settled: make(chan struct{}), partitions: map[int32]*partition{}, state: Starting,
	}
	c.settle = sync.OnceFunc(func() { close(c.settled) })
	return c
}

// Settled is closed once the group has its positions, so that every record from then on is handed out, or once it is known that
// the consumer waits for something.
func (c *Consumer) Settled() <-chan struct{} { return c.settled }

// Status is how it goes.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Status{State: c.state, Reason: c.reason}
	for _, p := range c.partitions {
		s.Lag += p.lag()
	}
	return s
}

// Run consumes until ctx ends. What keeps it from consuming is tried again every second. In the end nothing more is handed out,
// deliveries on their way may end within ten seconds, what they reached is committed, and the member leaves its group. The context
// deliveries is that of every delivery; when it ends, they do.
func (c *Consumer) Run(ctx, deliveries context.Context) {
	defer c.settle()
	defer c.setState(Stopped, "")
	for {
		err := c.consume(ctx, deliveries)
		if ctx.Err() != nil {
			return
		}
		if c.setState(Waiting, err.Error()) {
			c.options.Logger.Warn("consuming waits", "topic", c.options.Topic, "group", c.options.Group, "reason", err.Error())
		}
		c.settle()
		if !backoff.Wait(ctx, retryInterval) {
			return
		}
	}
}

// setState tells whether anything changed.
func (c *Consumer) setState(state State, reason string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := c.state != state || c.reason != reason
	c.state, c.reason = state, reason
	return changed
}

// consume joins the group and hands records out. It returns when the context ends, or when the group cannot be set up.
func (c *Consumer) consume(ctx, deliveries context.Context) error {
	setup, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	if err := c.cluster.start(setup, c.options.Group, c.options.Topic, c.options.From); err != nil {
		return err
	}
	client, err := kafka.NewClient(c.cluster.config, c.clientOptions(deliveries)...)
	if err != nil {
		return fmt.Errorf("making a Kafka client: %w", err)
	}
	c.settle()
	c.setState(Running, "")
	for ctx.Err() == nil {
		c.poll(ctx, client)
	}
	c.leave(client, deliveries)
	return ctx.Err()
}

func (c *Consumer) clientOptions(deliveries context.Context) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumerGroup(c.options.Group),
		kgo.ConsumeTopics(c.options.Topic),
		// The positions of a new group are committed before; this is for partitions that were added later, and for positions
		// that Kafka no longer has. Both are records that nobody has seen.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(commitInterval),
		kgo.SessionTimeout(sessionTimeout),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxBytes(maxFetchBytes),
		kgo.FetchMaxWait(c.cluster.fetchMaxWait),
		// What was polled reaches its partition before that may go to another member and come back: it would be too far on.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
			c.assign(client, deliveries, assigned[c.options.Topic])
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
			c.release(ctx, revoked[c.options.Topic])
			c.commit(client)
		}),
		kgo.OnPartitionsLost(func(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
			c.release(ctx, lost[c.options.Topic])
		}),
	}
}

func (c *Consumer) poll(ctx context.Context, client *kgo.Client) {
	fetches := client.PollRecords(ctx, maxPoll)
	fetches.EachError(func(_ string, _ int32, err error) {
		if ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return
		}
		c.cluster.metrics.failed(ctx, "fetch")
		if c.setState(Running, err.Error()) {
			c.options.Logger.Warn("fetching events", "error", err)
		}
	})
	if fetches.Err() == nil && len(fetches) > 0 {
		c.setState(Running, "")
	}
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		c.mu.Lock()
		p := c.partitions[fetched.Partition]
		c.mu.Unlock()
		if p != nil && (fetched.Err == nil || len(fetched.Records) > 0) { // an error may come after some records
			p.push(fetched.Records, fetched.HighWatermark)
		}
	})
	client.AllowRebalance()
	c.makeRoom(ctx)
}

// makeRoom waits until no partition is full.
func (c *Consumer) makeRoom(ctx context.Context) {
	c.mu.Lock()
	all := slices.Collect(maps.Values(c.partitions))
	c.mu.Unlock()
	makeRoom(ctx, c.cluster.roomTimeout, all)
}

// makeRoom waits until none of some partitions is full. One that stays full is fetched no longer, so that it does not keep the
// others waiting. That is the last resort: a partition that is fetched again may wait long for its next records.
func makeRoom(ctx context.Context, timeout time.Duration, all []*partition) {
	full := slices.DeleteFunc(all, func(p *partition) bool { return !p.full() })
	if len(full) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for _, p := range full {
		p.makeRoom(ctx)
	}
}

// assign begins partitions.
func (c *Consumer) assign(client *kgo.Client, deliveries context.Context, assigned []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range assigned {
		p := newPartition(c.options.Limit, c.options.Handler, c.cluster.metrics)
		p.givesUp = c.options.GiveUp
		p.mark = func(next kgo.EpochOffset) {
			client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{c.options.Topic: {id: next}})
		}
		p.pause = func(paused bool) { setPaused(client, c.options.Topic, id, paused) }
		// A partition may come back that was given away while it was paused.
		p.pause(false)
		c.partitions[id] = p
		p.start(deliveries)
	}
}

// setPaused stops or resumes fetching one partition.
func setPaused(client *kgo.Client, topic string, id int32, paused bool) {
	these := map[string][]int32{topic: {id}}
	if paused {
		client.PauseFetchPartitions(these)
	} else {
		client.ResumeFetchPartitions(these)
	}
}

// release ends partitions and waits until nothing of them is on its way.
func (c *Consumer) release(ctx context.Context, released []int32) {
	ctx, cancel := context.WithTimeout(ctx, revokeDrain)
	defer cancel()
	var stopping sync.WaitGroup
	c.mu.Lock()
	for _, id := range released {
		if p := c.partitions[id]; p != nil {
			delete(c.partitions, id)
			stopping.Go(func() { p.stop(ctx) })
		}
	}
	c.mu.Unlock()
	stopping.Wait()
}

func (c *Consumer) commit(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		c.cluster.metrics.failed(ctx, "commit")
		c.options.Logger.Warn("committing offsets; some events may be delivered twice", "error", err)
	}
}

// leave ends all partitions, commits and leaves the group.
func (c *Consumer) leave(client *kgo.Client, deliveries context.Context) {
	var all []int32
	c.mu.Lock()
	for id := range c.partitions {
		all = append(all, id)
	}
	c.mu.Unlock()
	c.release(deliveries, all)
	c.commit(client)
	client.CloseAllowingRebalance()
}
