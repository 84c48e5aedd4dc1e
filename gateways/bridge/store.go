package bridge

import (
	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/refusal"
)

// settled ends a delivery that is decided: what is refused is reported, since nobody else is told.
func (b *Bridge) settled(d *delivery, r outcome.Result) {
	if !r.Outcome.Good() {
		b.report("channel "+d.message.Channel, d, r)
	}
	b.decide(d, r.Outcome)
}

// report reports a message that is refused for good.
func (b *Bridge) report(where string, d *delivery, r outcome.Result) {
	b.refusals.Report(refusal.Report{
		Protocol: refusal.Bridge, Where: where, Application: b.config.Gateway.Application, Device: b.config.Gateway.Device,
		As: d.message.Device, Outcome: r.Outcome, Answer: "acknowledged, not stored", Reason: refusal.Explain(r),
	})
}

// decide ends a delivery: it is counted, makes room, and is acknowledged.
func (b *Bridge) decide(d *delivery, o outcome.Outcome) {
	b.metrics.decided(o)
	if d.place != nil {
		<-d.place
	}
	if d.receipt != nil {
		b.ledger.decide(d.receipt)
	}
}

// drop ends a delivery of QoS 0 for which there is no room.
func (b *Bridge) drop(d *delivery, reason string) {
	b.log.Warn("a message of QoS 0 is lost", zap.String("reason", reason), zap.String("device", d.message.Device))
	d.place = nil
	b.decide(d, outcome.Overloaded)
}

// leave leaves a delivery to the broker, which sends it again to the next bridge. With QoS 0 it does not.
func (b *Bridge) leave(d *delivery) {
	if d.receipt == nil {
		b.log.Warn("a message of QoS 0 is lost", zap.String("reason", "the bridge stops"), zap.String("device", d.message.Device))
		b.metrics.decided(outcome.Unavailable)
	}
	if d.place != nil {
		<-d.place
	}
}
