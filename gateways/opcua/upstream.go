package opcua

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/opcua"
	"github.com/fairlead/fairlead/internal/opcua/mapping"
)

// An upstream is one server: what is monitored there, and what becomes of it.
type upstream struct {
	gateway  *Gateway
	name     string
	mapped   *mapping.Server
	log      *zap.Logger
	server   *opcua.Server
	claims   *claims
	commands *commandLines

	mu         sync.Mutex
	plan       *mapping.Plan
	devices    map[string]*mapping.DevicePlan // by name
	properties properties
	good       map[*mapping.ValuePlan]map[string]string // extensions of a good value
	told       map[string]bool                          // findings that are logged; only for items
}

func newUpstream(g *Gateway, s *mapping.Server) (*upstream, error) {
	c := g.config.endpoint()
	c.Name, c.URL, c.Policy, c.Mode, c.Identity = s.Name.Value, s.URL.Value, s.Policy, s.Mode, s.Identity.Identity
	u := &upstream{gateway: g, name: s.Name.Value, mapped: s, log: g.log.With(zap.String("server", s.Name.Value)), plan: &mapping.Plan{}}
	u.claims = newClaims(u)
	u.commands = newCommandLines(g.config.MaxCommands, u.do)
	var err error
	if u.server, err = opcua.NewServer(c, u.items, u, g.log); err != nil {
		return nil, err
	}
	return u, nil
}

// run serves the server until ctx ends.
func (u *upstream) run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	running.Go(func() { u.claims.run(ctx) })
	running.Go(func() { u.refresh(ctx) })
	return u.server.Run(ctx)
}

// refresh has the mapping resolved again and again.
func (u *upstream) refresh(ctx context.Context) {
	ticker := time.NewTicker(u.gateway.config.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			u.server.Refresh()
		case <-ctx.Done():
			return
		}
	}
}

// items resolves the mapping at the server.
func (u *upstream) items(ctx context.Context, c *opcua.Connection) ([]opcua.Item, error) {
	plan, findings, err := mapping.Resolve(ctx, u.gateway.config.Mapping, u.mapped, mapping.At(c))
	if err != nil {
		return nil, fmt.Errorf("looking for the nodes of the mapping: %w", err)
	}
	properties, err := readProperties(ctx, c, plan)
	if err != nil {
		return nil, fmt.Errorf("reading units and ranges: %w", err)
	}
	good := goodExtensions(plan.Items)
	u.mu.Lock()
	u.plan, u.properties, u.good, u.devices = plan, properties, good, map[string]*mapping.DevicePlan{}
	for _, d := range plan.Devices {
		u.devices[d.Name] = d
	}
	u.mu.Unlock()
	u.gateway.metrics.refused(u.name, 0)
	u.claims.want(plan.Devices)
	u.tell(findings)
	return plan.Items, nil
}

// tell logs findings, each once as long as it lasts.
func (u *upstream) tell(findings mapping.Findings) {
	u.gateway.metrics.found(u.name, len(findings))
	now := map[string]bool{}
	for _, f := range findings {
		text := f.String()
		if now[text] = true; !u.told[text] {
			u.log.Error("the mapping does not fit the server", zap.String("finding", text))
		}
	}
	u.told = now
}

// Connected begins the sessions of the devices.
func (u *upstream) Connected(opcua.Info) {
	u.claims.connected(true)
}

// Disconnected ends the sessions of the devices.
func (u *upstream) Disconnected(error) {
	u.claims.connected(false)
}

// Refused logs what the server does not monitor.
func (u *upstream) Refused(list []opcua.Refusal) {
	u.gateway.metrics.refused(u.name, len(list))
	const most = 20
	for i, r := range list {
		if i == most {
			u.log.Error("the server monitors further nodes not", zap.Int("number", len(list)-most))
			return
		}
		u.log.Error("the server does not monitor a node", zap.Stringer("node", r.Item.Node), zap.Error(r.Status),
			zap.String("mapping", fmt.Sprintf("%s:%d", u.gateway.config.Mapping, mapping.LineOf(r.Item.Key))))
	}
}

// device is the plan of a device; nil if there is none.
func (u *upstream) device(name string) *mapping.DevicePlan {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.devices[name]
}

var _ opcua.Handler = (*upstream)(nil)
