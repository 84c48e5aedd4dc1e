package integration

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"sync"

	"go.uber.org/zap"

	commanding "github.com/fairlead/fairlead/internal/command"
	"github.com/fairlead/fairlead/internal/feed"
	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/refusal"
)

// Parts are what a gateway is made from.
type Parts struct {
	Guard    *feed.Guard
	Feed     *feed.Feed
	Router   *commanding.Router // hears the answers to commands; nil where there are none
	Refusals *refusal.Log
	Sign     func(*http.Request) error // shows who sends commands; may be nil
	Log      *zap.Logger               // may be nil
}

// A Gateway serves users that consume events.
type Gateway struct {
	Parts
	config    Config
	server    *protocol.Server
	rechecker *protocol.Rechecker
	holders   holders
	commands  *commands
	web       *web
}

// Listeners are where a gateway listens; nil is nowhere.
type Listeners struct {
	MQTT protocol.Listeners
	Web  net.Listener
}

// New makes a gateway.
func New(c Config, p Parts) *Gateway {
	p.Log = cmp.Or(p.Log, zap.NewNop())
	g := &Gateway{Parts: p, config: c, rechecker: protocol.NewRechecker(c.RecheckConfig)}
	g.commands = newCommands(c.CommandURL, p.Sign)
	g.holders.held = map[holder]*protocol.Conn{}
	g.server = protocol.NewServer(c.Connection, g, p.Log)
	g.server.OfferShared()
	g.server.OnBroken(g.reportBroken)
	g.web = newWeb(g)
	return g
}

// Serve serves listeners until ctx ends, or until one of them fails, which is the error. Then it accepts nothing more, takes leave of
// every consumer, commits what they have got, and closes the listeners.
func (g *Gateway) Serve(ctx context.Context, l Listeners) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var web sync.WaitGroup
	if l.Web != nil {
		web.Go(func() {
			if err := g.web.serve(ctx, l.Web); err != nil {
				cancel(err)
			}
		})
	}
	err := g.server.Run(ctx, l.MQTT, g.config.DrainTimeout, g.rechecker.Run, func(ctx context.Context) { g.Guard.Run(ctx, g.config.Feed.Recheck) })
	cancel(nil)
	web.Wait()
	return err
}
