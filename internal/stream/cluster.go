package stream

import (
	"cmp"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fairlead/fairlead/internal/kafka"
)

// A Cluster is the Kafka that consumers of a process read, and what they share. It is safe for concurrent use.
type Cluster struct {
	config  kafka.Config
	client  *kgo.Client // consumes nothing
	admin   *kadm.Client
	metrics *metrics

	fetchMaxWait, roomTimeout, idleTimeout time.Duration

	mu    sync.Mutex
	tails map[string]*tail // by topic
}

// Connect makes a Cluster. Nothing is asked of Kafka yet; an error says that the configuration cannot be used.
func Connect(config kafka.Config) (*Cluster, error) {
	metrics, err := newMetrics()
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewClient(config)
	if err != nil {
		return nil, err
	}
	return &Cluster{
		config: config, client: client, admin: kadm.NewClient(client), metrics: metrics,
		fetchMaxWait: fetchMaxWait, roomTimeout: roomTimeout, idleTimeout: idleTimeout, tails: map[string]*tail{},
	}, nil
}

// Close ends the connections. The consumers and readers have ended before.
func (c *Cluster) Close() { c.client.Close() }

// Options say what a Consumer reads.
type Options struct {
	Topic   string
	Group   string       // the consumer group; all its members share the partitions of the topic
	From    From         // where the group begins if it has no positions in the topic yet
	Limit   int          // how many records of one partition may be on their way at once; 1, the least, hands out each after the one before is settled
	Handler Handler      // gets the records
	GiveUp  bool         // what is not settled when the time for its delivery is over is abandoned, so that Handler need not see to that
	Logger  *slog.Logger // nil logs nothing
}

// NewConsumer makes a Consumer, which begins with Run.
func (c *Cluster) NewConsumer(options Options) *Consumer {
	options.Limit = max(1, options.Limit)
	options.Logger = cmp.Or(options.Logger, slog.New(slog.DiscardHandler))
	return newConsumer(c, options)
}
