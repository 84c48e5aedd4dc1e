package command

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/redis"
)

const (
	reportBatch  = 256             // replies that are sent together
	maxReported  = 32 << 20        // bytes of replies that wait to be sent
	maxReports   = 10_000          // replies that wait to be sent; beyond, they are dropped and the sender is told nothing
	reportWithin = 2 * time.Second // longest time that sending them together takes
)

// A reporter sends replies to senders of commands, in the background. It does nothing while there are none.
type reporter struct {
	client  goredis.UniversalClient
	cluster bool
	dropped func(n int)

	mu      sync.Mutex
	queue   []report
	bytes   int // of messages in it
	sending bool
	sent    sync.WaitGroup
}

// A report is a reply with the channel of its receiver.
type report struct {
	channel string
	message []byte
}

func (r *reporter) put(channel string, message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == maxReports || r.bytes+len(message) > maxReported {
		r.dropped(1)
		return
	}
	r.bytes += len(message)
	r.queue = append(r.queue, report{channel, message})
	if !r.sending {
		r.sending = true
		r.sent.Go(r.send)
	}
}

func (r *reporter) send() {
	for batch := r.take(); batch != nil; batch = r.take() {
		ctx, cancel := context.WithTimeout(context.Background(), reportWithin)
		_, err := r.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for _, one := range batch {
				redis.Publish(ctx, p, r.cluster, one.channel, one.message)
			}
			return nil
		})
		cancel()
		if err != nil {
			r.dropped(len(batch))
		}
	}
}

// take takes what is sent together; nil ends sending.
func (r *reporter) take() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), reportBatch)
	if n == 0 {
		r.queue, r.sending = nil, false
		return nil
	}
	batch := r.queue[:n:n]
	for _, one := range batch {
		r.bytes -= len(one.message)
	}
	r.queue = r.queue[n:]
	return batch
}
