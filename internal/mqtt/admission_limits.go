package mqtt

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/pace"
)

// An admissionLimits bounds what clients that are not admitted yet can take from those that are: connections, log-ins per second and
// log-ins at the same time. Whoever is turned away learns that later is better.
type admissionLimits struct {
	config   *Config
	arrivals *pace.Pace // of connections to accept: those that wait in the kernel's queue cost nothing
	logins   *rate.Limiter
	turns    *pace.Pace // of CONNECT packets to judge: clients may send theirs together, however their connections were accepted

	mu         sync.Mutex
	unadmitted int // connections without a CONNACK
	judging    int // CONNECT packets with the handler
	admitted   int // connections that have or will have a CONNACK of success
}

const (
	// catchUp is for which part of a second turns that nobody took are made up: a hundredth.
	catchUp = 100

	// toleratedLateness is by how much the process may be late before fewer clients are let in. A message has some five goroutines to wait
	// for on its way to Kafka and back, each so long.
	toleratedLateness = 5 * time.Millisecond
)

func newAdmissionLimits(c *Config) *admissionLimits {
	// Those that are taken at once have their turns within a second, not at once: who is connected would wait for all of them.
	perSecond := max(c.ConnectRate, c.ConnectBurst)
	return &admissionLimits{
		config:   c,
		arrivals: pace.New(perSecond, perSecond/catchUp, toleratedLateness),
		logins:   rate.NewLimiter(rate.Limit(c.ConnectRate), c.ConnectBurst),
		turns:    pace.New(perSecond, perSecond/catchUp, toleratedLateness),
	}
}

// acceptConnection lets a new connection come as far as its CONNECT. Each that it lets in is taken out with connectReceived.
func (g *admissionLimits) acceptConnection() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unadmitted >= g.config.MaxUnadmitted {
		return false
	}
	g.unadmitted++
	return true
}

func (g *admissionLimits) connectReceived() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unadmitted--
}

// beginLogin lets a CONNECT be judged, with nil, or says why not. Each that it lets in is followed by endLogin.
func (g *admissionLimits) beginLogin() *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.logins.Allow():
		return &Refusal{packet.ConnectionRateExceeded, serverUnavailable, "too many clients connect at once; try again later"}
	case g.admitted >= g.config.MaxConnections:
		return &Refusal{packet.ConnectionRateExceeded, serverUnavailable, "too many clients are connected; try again later"}
	case g.judging >= g.config.ConnectsAtOnce:
		return &Refusal{packet.ServerBusy, serverUnavailable, "too many log-ins are being checked; try again later"}
	}
	g.judging++
	g.admitted++
	return nil
}

// endLogin says whether the handler admitted the client. One that is admitted stays so until connectionClosed.
func (g *admissionLimits) endLogin(admitted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.judging--
	if !admitted {
		g.admitted--
	}
}

func (g *admissionLimits) connectionClosed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admitted--
}

func (g *admissionLimits) count() (admitted, unadmitted int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int64(g.admitted - g.judging), int64(g.unadmitted)
}
