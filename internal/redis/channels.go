package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/fairlead/fairlead/internal/backoff"
)

const (
	// channelBatch is how many channels are named in one request to the server.
	channelBatch = 1000
	// channelLinger is how long a connection stays without subscriptions: often the next one comes soon.
	channelLinger = 5 * time.Second
)

var (
	errClosed = errors.New("the process is about to end")
	errTaken  = errors.New("redis has ended a subscription by itself")
)

// Channels receives what is published on channels that come and go, over one connection, which is there only while there are channels.
// After the connection was lost, it is made anew, and every channel is subscribed to again.
//
// In a cluster it uses sharded channels (SSUBSCRIBE, Redis 7): a message then goes to one server and not to all. All channels must
// have the same hash tag.
type Channels struct {
	client  redis.UniversalClient
	sharded bool
	message func(channel, payload string)
	ended   chan struct{} // closed by Close
	running sync.WaitGroup

	mu       sync.Mutex
	channels map[string]*channel
	changed  []string      // names of channels that the server may have to be told about
	wake     chan struct{} // something has changed
	serving  bool          // a goroutine has, or is making, a connection
	closed   bool
}

// A channel is the interest in one.
type channel struct {
	interests int
	state     channelState
	ready     chan struct{} // closed when the server has confirmed; nil while nobody waits for that
}

type channelState uint8

const (
	unsubscribed channelState = iota
	asked                     // the server was asked to subscribe, and has not confirmed
	subscribed
	leaving // the server was asked to unsubscribe, and has not confirmed
)

// NewChannels hears nothing yet, and has no connection. message is called for what is published, one at a time; it must not block.
func NewChannels(client redis.UniversalClient, message func(channel, payload string)) *Channels {
	return &Channels{
		client: client, sharded: IsCluster(client), message: message,
		ended: make(chan struct{}), channels: map[string]*channel{}, wake: make(chan struct{}, 1),
	}
}

// IsCluster tells whether a client is one of a cluster.
func IsCluster(client redis.UniversalClient) bool {
	_, ok := client.(*redis.ClusterClient)
	return ok
}

// Publish publishes on a channel that others subscribe to with Channels. The result is how many connections have got it.
func Publish(ctx context.Context, client redis.Cmdable, cluster bool, channel string, payload any) *redis.IntCmd {
	if cluster {
		return client.SPublish(ctx, channel, payload)
	}
	return client.Publish(ctx, channel, payload)
}

// Subscribe subscribes to a channel, and returns when the server has confirmed that: what is published from then on arrives. Each call
// needs its own Unsubscribe, unless it returns an error.
func (c *Channels) Subscribe(ctx context.Context, name string) error {
	ready, err := c.enter(name)
	if ready == nil {
		return err
	}
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.ended:
		err = errClosed
	}
	c.Unsubscribe(name)
	return fmt.Errorf("waiting for redis to confirm a subscription: %w", err)
}

// enter notes an interest. The result is what to wait for, nil if there is nothing to wait for.
func (c *Channels) enter(name string) (ready <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	ch := c.channels[name]
	if ch == nil {
		ch = &channel{}
		c.channels[name] = ch
	}
	ch.interests++
	if ch.state == subscribed {
		return nil, nil
	}
	if ch.ready == nil {
		ch.ready = make(chan struct{})
	}
	c.look(name)
	if !c.serving {
		c.serving = true
		c.running.Go(c.serve)
	}
	return ch.ready, nil
}

// Unsubscribe ends an interest.
func (c *Channels) Unsubscribe(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[name]
	if ch == nil {
		return
	}
	if ch.interests--; ch.interests == 0 {
		c.look(name)
	}
}

// Len is the number of channels.
func (c *Channels) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.channels)
}

// Close ends every subscription. None can begin afterwards.
func (c *Channels) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.ended)
	}
	c.mu.Unlock()
	c.running.Wait()
}

// look has the server told of a channel, if need be. c.mu is held.
func (c *Channels) look(name string) {
	c.changed = append(c.changed, name)
	c.poke()
}

func (c *Channels) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve keeps a connection while there are channels.
func (c *Channels) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.running.Go(func() {
		select {
		case <-c.ended:
			cancel()
		case <-ctx.Done():
		}
	})
	pauses := backoff.New(firstPause, longestPause)
	for {
		began := time.Now()
		if err := c.connection(ctx); err == nil {
			return
		}
		if time.Since(began) > longestPause {
			pauses.Reset()
		}
		c.forget()
		if !pauses.Wait(ctx) {
			return
		}
	}
}

// forget notes that there are no subscriptions at the server any more, and has it told of everything again.
func (c *Channels) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed = c.changed[:0]
	for name, ch := range c.channels {
		ch.state = unsubscribed
		c.changed = append(c.changed, name)
	}
	c.poke()
}

// connection keeps one connection until it is lost, or is not needed any more: then the error is nil.
func (c *Channels) connection(ctx context.Context) error {
	l := &line{channels: c, failed: make(chan error, 1)}
	if c.sharded {
		l.pubsub = c.client.SSubscribe(ctx)
	} else {
		l.pubsub = c.client.Subscribe(ctx)
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer l.pubsub.Close()
	l.last.Store(time.Now().UnixNano())
	ticker := time.NewTicker(signOfLife)
	defer ticker.Stop()
	read, idle := false, time.Now()
	for {
		told, err := l.tell(ctx)
		if err != nil {
			return err
		}
		if told && !read { // from here on there is a connection to read from
			read = true
			reading.Go(func() { l.receive(ctx) })
		}
		if c.Len() > 0 {
			idle = time.Now()
		} else if time.Since(idle) >= channelLinger && c.rest() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-l.failed:
			return err
		case <-c.wake:
		case <-ticker.C:
			if err := l.alive(ctx, read); err != nil {
				return err
			}
		}
	}
}

// rest ends serving, unless there is a channel again.
func (c *Channels) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving = len(c.channels) > 0
	return !c.serving
}

// A line is one connection.
type line struct {
	channels *Channels
	pubsub   *redis.PubSub
	failed   chan error
	last     atomic.Int64 // when something came, in nanoseconds
}

// alive asks for a sign of life when nothing has come for a while, and fails when nothing comes for long.
func (l *line) alive(ctx context.Context, read bool) error {
	silent := time.Since(time.Unix(0, l.last.Load()))
	switch {
	case !read || silent < signOfLife/2:
		return nil
	case silent > silence*signOfLife:
		return errSilent
	}
	if err := l.pubsub.Ping(ctx); err != nil {
		return fmt.Errorf("asking redis for a sign of life: %w", err)
	}
	return nil
}

// tell tells the server what has changed, in batches.
func (l *line) tell(ctx context.Context) (told bool, err error) {
	for {
		subscribe, unsubscribe := l.channels.changes()
		if len(subscribe)+len(unsubscribe) == 0 {
			return told, nil
		}
		told = true
		if err := l.send(ctx, subscribe, unsubscribe); err != nil {
			return told, fmt.Errorf("subscribing to channels of redis: %w", err)
		}
	}
}

func (l *line) send(ctx context.Context, subscribe, unsubscribe []string) (err error) {
	sub, unsub := l.pubsub.Subscribe, l.pubsub.Unsubscribe
	if l.channels.sharded {
		sub, unsub = l.pubsub.SSubscribe, l.pubsub.SUnsubscribe
	}
	if len(subscribe) > 0 {
		err = sub(ctx, subscribe...)
	}
	if err == nil && len(unsubscribe) > 0 {
		err = unsub(ctx, unsubscribe...)
	}
	return err
}

// changes takes a batch of what the server has to be told. A channel whose last change is not confirmed waits for that: its
// confirmation could not be told from the next one.
func (c *Channels) changes() (subscribe, unsubscribe []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, name := range c.changed {
		if len(subscribe)+len(unsubscribe) == channelBatch {
			break
		}
		n++
		ch := c.channels[name]
		switch {
		case ch == nil:
		case ch.state == unsubscribed && ch.interests == 0:
			delete(c.channels, name)
		case ch.state == unsubscribed:
			ch.state = asked
			subscribe = append(subscribe, name)
		case ch.state == subscribed && ch.interests == 0:
			ch.state = leaving
			unsubscribe = append(unsubscribe, name)
		}
	}
	if c.changed = c.changed[n:]; len(c.changed) == 0 {
		c.changed = nil
	}
	return subscribe, unsubscribe
}

// receive reads until the connection fails or is closed.
func (l *line) receive(ctx context.Context) {
	for {
		news, err := l.pubsub.Receive(ctx)
		if err == nil {
			l.last.Store(time.Now().UnixNano())
			err = l.handle(news)
		}
		if err != nil {
			l.failed <- err
			return
		}
	}
}

func (l *line) handle(news any) error {
	switch news := news.(type) {
	case *redis.Message:
		l.channels.message(news.Channel, news.Payload)
	case *redis.Subscription:
		if !l.channels.confirm(news.Channel, news.Kind == "subscribe" || news.Kind == "ssubscribe") {
			return errTaken
		}
	}
	return nil
}

// confirm notes what the server has confirmed, and tells whether it was asked for that.
func (c *Channels) confirm(name string, begun bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.channels[name]
	switch {
	case ch == nil:
		return false
	case begun && ch.state == asked:
		ch.state = subscribed
		if ch.ready != nil {
			close(ch.ready)
			ch.ready = nil
		}
		if ch.interests == 0 {
			c.look(name)
		}
	case !begun && ch.state == leaving:
		ch.state = unsubscribed
		c.look(name) // it is wanted again, or forgotten
	default:
		return false
	}
	return true
}
