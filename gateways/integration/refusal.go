package integration

import (
	"cmp"

	protocol "github.com/fairlead/fairlead/internal/mqtt"
	"github.com/fairlead/fairlead/internal/mqtt/packet"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// reportConnect reports a CONNECT that is not accepted.
func (g *Gateway) reportConnect(c *protocol.Conn, err error) {
	result := outcome.ResultOf(err)
	g.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "CONNECT", Remote: c.Remote(), Outcome: result.Outcome, Answer: c.AnswerOf(err), Reason: refusal.Explain(result),
	})
}

// reportBroken reports a client that broke the protocol, or met a bound of it.
func (g *Gateway) reportBroken(b protocol.Broken) {
	r := b.Report()
	r.Protocol = refusal.Consumer
	g.Refusals.Report(r)
}

// report reports the end of a session that was not its client's wish.
func (s *client) report(where string, v packet.Version, r packet.Reason, result outcome.Result) {
	if result.Outcome.Good() { // the admission ended by itself
		result = outcome.Result{Outcome: outcome.Unauthenticated, Reason: "the token has expired"}
	}
	s.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: where, Remote: s.conn.Remote(), Outcome: result.Outcome, Answer: protocol.DisconnectText(v, r),
		Reason: refusal.Explain(result),
	})
}

// reportSubscription reports a subscription that is not granted.
func (s *client) reportSubscription(filter string, r packet.Reason, err error) {
	o, reason := protocol.OutcomeOf(r), r.String()
	if err != nil {
		result := outcome.ResultOf(err)
		o, reason = result.Outcome, cmp.Or(refusal.Explain(result), reason)
	}
	s.gateway.Refusals.Report(refusal.Report{
		Protocol: refusal.Consumer, Where: "SUBSCRIBE " + filter, Remote: s.conn.Remote(), Outcome: o,
		Answer: protocol.SubscribeText(s.conn.Version(), r), Reason: reason,
	})
}
