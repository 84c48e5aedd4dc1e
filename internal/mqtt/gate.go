package mqtt

import (
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt/packet"
)

// A gate bounds what clients that are not admitted yet can take from those that are: connections, log-ins per second and
// log-ins at the same time. Whoever is turned away learns that later is better.
type gate struct {
	config *Config

	mu         sync.Mutex
	unadmitted int // connections without a CONNACK
	judging    int // CONNECT packets with the handler
	admitted   int // connections that have or will have a CONNACK of success
	tokens     float64
	filled     time.Time // when tokens were counted
}

func newGate(c *Config) *gate {
	return &gate{config: c, tokens: float64(c.ConnectBurst), filled: time.Now()}
}

// knock lets a new connection come as far as its CONNECT. Each that it lets in is taken out with greeted.
func (g *gate) knock() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.unadmitted >= g.config.MaxUnadmitted {
		return false
	}
	g.unadmitted++
	return true
}

func (g *gate) greeted() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unadmitted--
}

// enter lets a CONNECT be judged, with nil, or says why not. Each that it lets in is followed by judged.
func (g *gate) enter() *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.token():
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

// judged says whether the handler admitted the client. One that is admitted stays so until leave.
func (g *gate) judged(admitted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.judging--
	if !admitted {
		g.admitted--
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admitted--
}

// token takes one of the tokens, of which ConnectRate come in a second and ConnectBurst can be saved. g.mu is held.
func (g *gate) token() bool {
	now := time.Now()
	g.tokens += now.Sub(g.filled).Seconds() * float64(g.config.ConnectRate)
	g.tokens = min(g.tokens, float64(g.config.ConnectBurst))
	g.filled = now
	if g.tokens < 1 {
		return false
	}
	g.tokens--
	return true
}

func (g *gate) count() (admitted, unadmitted int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int64(g.admitted - g.judging), int64(g.unadmitted)
}
