package mqtt

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/backoff"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A RecheckConfig says how log-ins are judged again whose admission was revoked.
type RecheckConfig struct {
	Renewals       int           `doc:"number of log-ins that are judged again at the same time after a change in the registry; 1 to 10000"`
	RenewalSpread  time.Duration `doc:"duration over which log-ins are spread that one change has judged again; 0s to 10s"`
	RenewalTimeout time.Duration `doc:"duration after which a client is disconnected whose log-in is to be judged again but cannot be, because nobody can be asked; 1s to 1h"`
}

// DefaultRecheckConfig asks for a thousand log-ins at a time, and gives up after a minute.
func DefaultRecheckConfig() RecheckConfig {
	return RecheckConfig{Renewals: 1024, RenewalSpread: 250 * time.Millisecond, RenewalTimeout: time.Minute}
}

// Validate names the first bad field.
func (c *RecheckConfig) Validate() error {
	switch {
	case c.Renewals < 1 || c.Renewals > 10_000:
		return errors.New("renewals: must lie between 1 and 10000")
	case c.RenewalSpread < 0 || c.RenewalSpread > 10*time.Second:
		return errors.New("renewalSpread: must lie between 0s and 10s")
	case c.RenewalTimeout < time.Second || c.RenewalTimeout > time.Hour:
		return errors.New("renewalTimeout: must lie between 1s and 1h")
	}
	return nil
}

// Pauses between attempts to have a log-in judged again. They grow.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 5 * time.Second
)

// An Admission is what a session rests on.
type Admission interface {
	// Until is when the admission ends by itself, as with a certificate or a token; zero is never.
	Until() time.Time
	// OnRevoked has a function called once, when something has changed that the admission rests on. stop takes the function
	// back. The function does not block.
	OnRevoked(call func()) (stop func() bool)
}

// A Login is the log-in of a client that is connected. A gateway's session is one.
type Login interface {
	// Renew judges the log-in again. It returns the new admission, or an error that carries an outcome, or ErrReplaced. With
	// outcome.Unauthenticated and outcome.Forbidden the client is refused; with any other Renew is called again later. Until
	// it is decided the session goes on as it was. It is never called twice at the same time.
	Renew(ctx context.Context) (Admission, error)
	// End disconnects the client. err is the last error of Renew; nil if the admission has ended by itself.
	End(why RecheckResult, err error)
}

// ErrReplaced is an error of Login.Renew: the log-in is somebody else's now.
var ErrReplaced = errors.New("the log-in is somebody else's now")

// A RecheckResult is what became of an admission that was revoked or has ended, as metrics name it.
type RecheckResult string

// The results.
const (
	RecheckKept      RecheckResult = "kept"      // admitted again
	RecheckRefused   RecheckResult = "refused"   // not admitted any more: disconnected
	RecheckReplaced  RecheckResult = "replaced"  // the log-in is somebody else's now: disconnected
	RecheckExpired   RecheckResult = "expired"   // the admission has ended by itself: disconnected
	RecheckUndecided RecheckResult = "undecided" // nobody could decide: tried again later
	RecheckGivenUp   RecheckResult = "given_up"  // nobody could decide for too long: disconnected
)

// Reason is what a client is told that is disconnected.
func (r RecheckResult) Reason() packet.Reason {
	if r == RecheckGivenUp {
		return packet.ServerUnavailable
	}
	return packet.AdministrativeAction
}

// A Rechecker has the log-ins of a gateway's clients judged again when their admission is revoked, and ends sessions whose
// admission ends. It is safe for concurrent use.
type Rechecker struct {
	config  RecheckConfig
	queue   *recheckQueue
	metrics *recheckMetrics
}

// NewRechecker makes a rechecker of a configuration that is valid. Nothing is done before Run.
func NewRechecker(c RecheckConfig) *Rechecker {
	r := &Rechecker{config: c, queue: newRecheckQueue(c.Renewals)}
	r.metrics = newRecheckMetrics(r.Len)
	return r
}

// Run does what is due until ctx ends, and waits for what it has begun.
func (r *Rechecker) Run(ctx context.Context) { r.queue.run(ctx, r.do) }

// Len is the number of sessions for which something is to be done some time.
func (r *Rechecker) Len() int64 { return r.queue.len() }

// A Recheck watches the admission of one session. It has no goroutine and no timer of its own.
type Recheck struct {
	rechecker *Rechecker
	login     Login
	place     place // in the queue, whose mutex guards it

	mu        sync.Mutex
	until     time.Time // when the admission ends; zero is never
	stop      func() bool
	closed    bool
	revokedAt time.Time       // zero: the admission holds
	pauses    *backoff.Pauses // between attempts since then; nil before the first has failed
}

// Add makes the recheck of a session. It does nothing before Admit.
func (r *Rechecker) Add(l Login) *Recheck {
	return &Recheck{rechecker: r, login: l, place: place{index: -1}}
}

// Admit has the session rest on an admission, until that is revoked or ends. It is for the first one: the rechecker itself
// admits those that Login.Renew returns.
func (c *Recheck) Admit(a Admission) {
	until := a.Until()
	c.mu.Lock()
	c.until = until
	c.mu.Unlock()
	if !until.IsZero() {
		c.rechecker.queue.put(c, until)
	}
	stop := a.OnRevoked(c.revoked)
	c.mu.Lock()
	c.stop = stop
	closed := c.closed
	c.mu.Unlock()
	if closed {
		stop()
	}
}

// Close ends the watch. A Renew that has begun goes on; what it returns is of no effect.
func (c *Recheck) Close() {
	c.rechecker.queue.remove(c)
	c.mu.Lock()
	c.closed = true
	stop := c.stop
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// revoked has the log-in judged again soon: not at once, since a change of an application revokes the sessions of all its
// devices, in every gateway.
func (c *Recheck) revoked() {
	now := time.Now()
	c.mu.Lock()
	c.revokedAt, c.pauses = now, nil
	c.mu.Unlock()
	c.rechecker.queue.put(c, now.Add(upTo(c.rechecker.config.RenewalSpread)))
}

// do does what is due with a session: its admission has ended, or its log-in is to be judged again.
func (r *Rechecker) do(ctx context.Context, c *Recheck) {
	if c.expired(time.Now()) {
		r.end(c, RecheckExpired, nil)
		return
	}
	admission, err := c.login.Renew(ctx)
	switch o := outcome.Of(err); {
	case errors.Is(err, ErrReplaced):
		r.end(c, RecheckReplaced, err)
	case o == outcome.Accepted:
		r.metrics.rechecked(RecheckKept)
		c.Admit(admission)
	case o == outcome.Unauthenticated, o == outcome.Forbidden:
		r.end(c, RecheckRefused, err)
	case ctx.Err() == nil:
		r.postpone(c, err)
	}
}

func (r *Rechecker) end(c *Recheck, why RecheckResult, err error) {
	r.metrics.rechecked(why)
	c.login.End(why, err)
}

// postpone tries again later, because nobody could decide, but not for ever.
func (r *Rechecker) postpone(c *Recheck, err error) {
	now := time.Now()
	c.mu.Lock()
	if c.pauses == nil {
		c.pauses = backoff.New(firstPause, longestPause)
	}
	pause, since, until := c.pauses.Next(), c.revokedAt, c.until
	c.mu.Unlock()
	if now.Sub(since) >= r.config.RenewalTimeout {
		r.end(c, RecheckGivenUp, err)
		return
	}
	r.metrics.rechecked(RecheckUndecided)
	r.queue.put(c, earlier(now.Add(pause), until))
}

func (c *Recheck) expired(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.until.IsZero() && !now.Before(c.until)
}

// upTo is a random duration below d; 0 for 0.
func upTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// earlier is the earlier one of two times, of which the second may be zero for never.
func earlier(t, until time.Time) time.Time {
	if until.IsZero() || t.Before(until) {
		return t
	}
	return until
}
