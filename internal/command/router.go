package command

import (
	"context"
	"crypto/rand"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/redis"
)

const (
	// listenWithin bounds how long a listener waits for Redis.
	listenWithin = 2 * time.Second
	// answerWithin bounds how long a sender waits for the processes that were given its command.
	answerWithin = time.Second
)

// A Router takes commands from the process that sends them to those that listen, through Redis.
type Router struct {
	client   goredis.UniversalClient
	cluster  bool
	prefix   string // of channels
	hub      *Hub
	channels *redis.Channels
	reporter *reporter
	pending  pending
	name     string // of this process, where replies to it are published
	sent     atomic.Uint64
	replying atomic.Bool // replies are heard
	log      *zap.Logger
	metrics  *routerMetrics
}

// NewRouter connects a hub, which has no listener yet, with those of the other processes of the installation of that name. There is no
// connection before somebody listens or sends. The client must send each command once only (redis.Config.ClientWithoutRetries); it stays
// the caller's, and is closed after the router. The log may be nil.
func NewRouter(client goredis.UniversalClient, instance string, hub *Hub, log *zap.Logger) *Router {
	if log == nil {
		log = zap.NewNop()
	}
	r := &Router{
		client: client, cluster: redis.IsCluster(client), prefix: redis.Keys(url.QueryEscape(instance)) + "command:", hub: hub,
		name: rand.Text(), log: log, metrics: newRouterMetrics(),
	}
	r.channels = redis.NewChannels(client, r.hear)
	r.reporter = newReporter(client, r.cluster, r.metrics.silenced)
	hub.router = r
	return r
}

// Close ends hearing, and returns when what this process has to say to senders is said.
func (r *Router) Close() {
	r.channels.Close()
	r.reporter.close()
}

// to is the channel of a connected device. What others choose is percent-encoded, so that no two devices have the same.
func (r *Router) to(a address) string {
	return r.prefix + "to:" + url.QueryEscape(a.application) + ":" + url.QueryEscape(a.device)
}

// from is the channel of replies to a sender.
func (r *Router) from(sender string) string { return r.prefix + "from:" + url.QueryEscape(sender) }

func (r *Router) listen(ctx context.Context, a address) error {
	ctx, cancel := context.WithTimeout(ctx, listenWithin)
	defer cancel()
	return r.follow(ctx, r.to(a))
}

func (r *Router) leave(a address) { r.channels.Unsubscribe(r.to(a)) }

// follow hears a channel until it is left.
func (r *Router) follow(ctx context.Context, channel string) error {
	if err := r.channels.Subscribe(ctx, channel); err != nil {
		return outcome.Wrap(outcome.Unavailable, "commands cannot be received", err)
	}
	return nil
}

// Send hands a command to everybody who listens for it, and tells who that was. Who does not say so in time is silent. Errors are
// outcome.Unavailable, when Redis could not be told or nobody knows whether it was, and outcome.Invalid, for what cannot be sent.
func (r *Router) Send(ctx context.Context, c Command) (Receipt, error) {
	began := time.Now()
	receipt, err := r.send(ctx, &c)
	r.metrics.sent(ctx, &receipt, err, time.Since(began))
	return receipt, err
}

func (r *Router) send(ctx context.Context, c *Command) (Receipt, error) {
	id := strconv.FormatUint(r.sent.Add(1), 36)
	message, err := enclose(r.name, id, c)
	if err != nil {
		return Receipt{}, outcome.Wrap(outcome.Invalid, "the command is too long", err)
	}
	replies := make(chan Reach, maxProcesses)
	cancel, err := r.expect(ctx, id, func(answer reply, _ []byte) {
		select {
		case replies <- answer.Reach:
		default:
		}
	})
	if err != nil {
		return Receipt{}, err
	}
	defer cancel()
	to := r.to(address{c.Application, c.Gateway})
	given, err := redis.Publish(ctx, r.client, r.cluster, to, message).Result()
	if err != nil {
		return Receipt{}, outcome.Wrap(outcome.Unavailable, "the command cannot be sent now", err)
	}
	return collect(ctx, int(given), replies), nil
}

// maxProcesses bounds how many processes tell to whom they handed one command. Usually a device is connected to one of them.
const maxProcesses = 64

// collect waits for that many replies.
func collect(ctx context.Context, given int, replies <-chan Reach) (receipt Receipt) {
	timer := time.NewTimer(answerWithin)
	defer timer.Stop()
	for ; given > 0; given-- {
		select {
		case reach := <-replies:
			for _, of := range reach {
				receipt.Reach = receipt.Reach.add(of)
			}
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		receipt.Silent = given
		return receipt
	}
	return receipt
}

// expect has hear called for replies to this process of an ID, until cancel. They are heard when it returns. hear must not block.
func (r *Router) expect(ctx context.Context, id string, hear func(reply, []byte)) (cancel func(), err error) {
	ctx, stop := context.WithTimeout(ctx, listenWithin)
	defer stop()
	if err := r.replies(ctx); err != nil {
		return nil, err
	}
	return r.pending.expect(id, hear), nil
}

// replies begins to hear what others reply to this process. From then on that stays: who has sent a command sends another.
func (r *Router) replies(ctx context.Context) error {
	if err := r.follow(ctx, r.from(r.name)); err != nil {
		return err
	}
	if r.replying.Swap(true) {
		r.channels.Unsubscribe(r.from(r.name)) // it is held already
	}
	return nil
}

// reply tells a sender something. An answer of a device is sent again while nobody hears it; a receipt is not worth that, since its sender
// waits for a second only, and counts each one.
func (r *Router) reply(sender string, answer reply, body []byte) {
	message, err := encode(answer, body)
	if err != nil {
		r.log.Warn("a reply to the sender of a command cannot be written", zap.Error(err))
		return
	}
	report := report{channel: r.from(sender), message: message}
	if answer.Answer != nil {
		report.until = time.Now().Add(answerFor)
	}
	r.reporter.put(report)
}

// hear takes what was published on a channel of this process. It does not block.
func (r *Router) hear(channel, message string) {
	if channel == r.from(r.name) {
		r.hearReply([]byte(message))
		return
	}
	var e envelope
	payload, err := decode([]byte(message), &e)
	if err != nil || channel != r.to(address{e.Application, e.Gateway}) {
		r.metrics.broken()
		return
	}
	r.reply(e.Sender, reply{ID: e.ID, Reach: r.hub.Deliver(e.command(payload))}, nil)
}

func (r *Router) hearReply(message []byte) {
	var answer reply
	body, err := decode(message, &answer)
	if err != nil {
		r.metrics.broken()
		return
	}
	r.pending.hear(answer, body)
}
