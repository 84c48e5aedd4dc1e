package mqtt_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A userGateway shows all that a second MQTT gateway has to bring. Users log in with a token, hear events, and publish commands.
type userGateway struct {
	server   *mqtt.Server
	rechecks *mqtt.Rechecker
	budget   *mqtt.Budget
	check    func(token string) (mqtt.Admission, error) // who a user is
	send     func(command string, done func(outcome.Result))
	report   func(refusal.Report)
	mu       sync.Mutex
	users    map[*user]struct{} // who have subscribed
}

func newUserGateway(check func(string) (mqtt.Admission, error), send func(string, func(outcome.Result)), report func(refusal.Report)) *userGateway {
	rechecks, budget := mqtt.NewRechecker(mqtt.DefaultRecheckConfig()), mqtt.NewBudget(mqtt.DefaultBudgetConfig())
	g := &userGateway{rechecks: rechecks, budget: budget, check: check, send: send, report: report, users: map[*user]struct{}{}}
	g.server = mqtt.NewServer(mqtt.DefaultConfig(), g, nil)
	g.server.OnBroken(func(b mqtt.Broken) { report(b.Report()) })
	return g
}

func (g *userGateway) serve(ctx context.Context, l mqtt.Listeners) error {
	return g.server.Run(ctx, l, time.Minute, g.rechecks.Run)
}

func (g *userGateway) Connect(_ context.Context, c *mqtt.Conn, p *packet.Connect) (mqtt.Session, error) {
	u := &user{gateway: g, conn: c, token: string(p.Password)}
	admission, err := g.check(u.token)
	if err != nil {
		g.report(refusal.Report{Where: "CONNECT", Remote: c.Remote(), Outcome: outcome.Of(err), Answer: c.AnswerOf(err)})
		return nil, err
	}
	u.recheck = g.rechecks.Add(u)
	u.recheck.Admit(admission)
	return u, nil
}

// event hands an event to all who have subscribed.
func (g *userGateway) event(payload string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for u := range g.users {
		u.conn.Deliver(&packet.Publish{Topic: "app/plant", Payload: []byte(payload)})
	}
}

// A user is a session.
type user struct {
	gateway *userGateway
	conn    *mqtt.Conn
	token   string
	recheck *mqtt.Recheck
}

func (u *user) Renew(context.Context) (mqtt.Admission, error) { return u.gateway.check(u.token) }
func (u *user) End(why mqtt.RecheckResult, _ error)           { u.conn.Disconnect(why.Reason(), string(why)) }

func (u *user) Publish(p *packet.Publish, done func(mqtt.Answer)) {
	command, ok := strings.CutPrefix(p.Topic, "command/")
	if !ok {
		done(mqtt.Answer{Reason: packet.TopicNameInvalid, Final: true})
		return
	}
	spent := u.gateway.budget.Take(len(p.Topic))
	u.gateway.send(strings.Clone(command), func(r outcome.Result) {
		u.gateway.budget.Give(spent)
		done(mqtt.Answer{Reason: packet.Reason(r.Outcome.MQTT5()), Final: r.Outcome.Final()})
	})
}

func (u *user) Subscribe(packet.Subscription, uint32, packet.UserProperties) packet.Reason {
	return u.set(true)
}
func (u *user) Unsubscribe(string) packet.Reason { return u.set(false) }

func (u *user) set(subscribed bool) packet.Reason {
	u.gateway.mu.Lock()
	defer u.gateway.mu.Unlock()
	if delete(u.gateway.users, u); subscribed {
		u.gateway.users[u] = struct{}{}
	}
	return packet.Success
}

func (u *user) Closed(mqtt.End) {
	u.set(false)
	u.recheck.Close()
}
