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
	again   *repeater

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
	until   time.Time // until when it is sent again if nobody hears it; zero is never
}

func newReporter(client goredis.UniversalClient, cluster bool, dropped func(n int)) *reporter {
	r := &reporter{client: client, cluster: cluster, dropped: dropped}
	r.again = newRepeater(r.publish, dropped)
	return r
}

// close returns when what there is to say is said, once at least.
func (r *reporter) close() {
	r.sent.Wait()
	r.again.close()
}

func (r *reporter) put(one report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == maxReports || r.bytes+len(one.message) > maxReported {
		r.dropped(1)
		return
	}
	r.bytes += len(one.message)
	r.queue = append(r.queue, one)
	if !r.sending {
		r.sending = true
		r.sent.Go(r.send)
	}
}

func (r *reporter) send() {
	for batch := r.take(); batch != nil; batch = r.take() {
		for _, one := range r.publish(batch) {
			r.again.put(one)
		}
	}
}

// publish sends reports together, and returns those that are worth another attempt: nobody has heard them, as far as is known. Others
// that could not be sent are given up.
func (r *reporter) publish(batch []report) (unheard []report) {
	ctx, cancel := context.WithTimeout(context.Background(), reportWithin)
	defer cancel()
	sent := make([]*goredis.IntCmd, len(batch))
	_, err := r.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, one := range batch {
			sent[i] = redis.Publish(ctx, p, r.cluster, one.channel, one.message)
		}
		return nil
	})
	for i, one := range batch {
		switch heard := sent[i].Val() > 0; {
		case heard:
		case !one.until.IsZero():
			unheard = append(unheard, one)
		case err != nil:
			r.dropped(1)
		}
	}
	return unheard
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
