package opcua

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
	"github.com/fairlead/fairlead/internal/outcome"
)

const (
	// claimsAtOnce is how many sessions of a server's devices are begun at the same time.
	claimsAtOnce = 16
	// longestClaimPause is the longest pause before sessions that could not be begun, or were lost, are tried again.
	longestClaimPause = time.Minute
)

// claims keep a session of each device of a server while that is connected. A device that the gateway may not speak for has none.
type claims struct {
	upstream *upstream
	changed  chan struct{} // has an element after something has

	mu     sync.Mutex
	up     bool
	wanted map[string]bool // by the device's name in the mapping
	held   map[string]*claim
	failed map[string]outcome.Outcome // of those that could not be begun
}

// A claim is the session of one device.
type claim struct {
	lease    lease
	registry string // name in the registry
	lost     bool
}

func newClaims(u *upstream) *claims {
	return &claims{upstream: u, changed: make(chan struct{}, 1), held: map[string]*claim{}, failed: map[string]outcome.Outcome{}}
}

// want says which devices there are.
func (c *claims) want(devices []*mapping.DevicePlan) {
	c.mu.Lock()
	c.wanted = make(map[string]bool, len(devices))
	for _, d := range devices {
		c.wanted[d.Name] = true
	}
	c.mu.Unlock()
	c.kick()
}

// connected says whether the server is.
func (c *claims) connected(up bool) {
	c.mu.Lock()
	c.up = up
	c.mu.Unlock()
	c.kick()
}

func (c *claims) kick() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// count is the number of sessions.
func (c *claims) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// named finds the device that has a name in the registry, as long as it is connected.
func (c *claims) named(registry string) (device string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, held := range c.held {
		if held.registry == registry && !held.lost {
			return name, true
		}
	}
	return "", false
}

// run brings the sessions to what they should be until ctx ends, and then ends all.
func (c *claims) run(ctx context.Context) {
	defer c.releaseAll()
	for pauses := backoff.New(firstPause, longestClaimPause); ; {
		complete := c.release() && c.claim(ctx)
		var again <-chan time.Time
		if complete {
			pauses.Reset()
		} else {
			again = time.After(pauses.Next())
		}
		select {
		case <-c.changed:
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// release ends sessions that should not be, and forgets those that are lost.
func (c *claims) release() bool {
	c.mu.Lock()
	var ended []*claim
	complete := true
	for name, held := range c.held {
		if held.lost {
			delete(c.held, name)
			complete = false // it is claimed again after a pause
		} else if !c.up || !c.wanted[name] {
			delete(c.held, name)
			ended = append(ended, held)
		}
	}
	c.mu.Unlock()
	for _, held := range ended {
		held.lease.Release(false)
	}
	return complete
}

func (c *claims) releaseAll() {
	c.connected(false)
	c.release()
}

// claim begins the sessions that are missing, and tells whether all are there.
func (c *claims) claim(ctx context.Context) bool {
	missing := c.missing()
	var running sync.WaitGroup
	var mu sync.Mutex
	complete := true
	places := make(chan struct{}, claimsAtOnce)
	for _, name := range missing {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			err := c.begin(ctx, name)
			c.tell(name, err)
			if err != nil {
				mu.Lock()
				complete = false
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return complete
}

// tell logs why a session could not be begun, once as long as the reason is the same.
func (c *claims) tell(name string, err error) {
	now := outcome.Of(err)
	c.mu.Lock()
	before, failed := c.failed[name]
	if delete(c.failed, name); err != nil {
		c.failed[name] = now
	}
	c.mu.Unlock()
	if err != nil && (!failed || before != now) {
		c.upstream.log.Warn("a device is not known to be connected", zap.String("device", name), zap.Stringer("outcome", now))
	}
}

func (c *claims) missing() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		return nil
	}
	for name := range c.wanted {
		if c.held[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// begin begins one session.
func (c *claims) begin(ctx context.Context, name string) error {
	g := c.upstream.gateway
	device := name
	if device == g.config.Gateway.Device {
		device = ""
	}
	s, err := g.forwarder.As(ctx, device)
	if err != nil {
		return err
	}
	held := &claim{registry: s.Device.Metadata.Name}
	l, err := g.claimer.Claim(ctx, s, func() { c.lose(held) })
	if err != nil {
		return err
	}
	c.mu.Lock()
	held.lease = l
	c.held[name] = held
	c.mu.Unlock()
	return nil
}

// lose notes that a session was taken over, or given up.
func (c *claims) lose(held *claim) {
	c.mu.Lock()
	held.lost = true
	c.mu.Unlock()
	c.kick()
}
