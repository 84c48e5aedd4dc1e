package bridge

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/outcome"
	"github.com/fairlead/fairlead/internal/registry"
)

// settle tries to store a message until that is decided, and has it acknowledged. It says no if the bridge stops before:
// then the broker keeps the message, and what is behind it in its line must wait for it.
func (b *Bridge) settle(d *delivery) bool {
	for failures := 1; ; failures++ {
		r := b.store(d)
		if decided(r.Outcome) {
			b.report(d, r)
			b.decide(d, r.Outcome)
			return true
		}
		b.metrics.retried(r.Outcome)
		b.log.Warn("a message cannot be stored now", zap.Stringer("outcome", r.Outcome), zap.String("device", d.device),
			zap.Int("attempt", failures), zap.Error(r.Err))
		if !b.pause(backoff(failures, shortestRetry, b.config.RetryDelay)) {
			b.abandon(d)
			return false
		}
	}
}

// decided tells whether an outcome will be the same the next time, so that the broker need not keep the message.
func decided(o outcome.Outcome) bool {
	switch o {
	case outcome.Accepted, outcome.Dropped, outcome.Invalid, outcome.Rejected, outcome.Forbidden, outcome.TooLarge:
		return true
	default:
		return false
	}
}

// store makes one attempt.
func (b *Bridge) store(d *delivery) outcome.Result {
	from := b.gateway.session(b.stopping)
	if from == nil {
		return outcome.Result{Outcome: outcome.Unauthenticated}
	}
	as, err := b.about(from, d.device)
	if err != nil {
		return refusal(from, err)
	}
	return b.pipeline.Do(context.Background(), from, as, d.message)
}

// about finds the device that a message is about, if the gateway may speak for it; nil is the gateway.
func (b *Bridge) about(from *auth.Session, device string) (*registry.Device, error) {
	if device == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.config.AuthTimeout)
	defer cancel()
	return b.devices.AuthorizeAs(ctx, from, device)
}

// refusal is the result of an error about the device. If the gateway's own admission has been taken back meanwhile, the
// error says nothing about the device.
func refusal(from *auth.Session, err error) outcome.Result {
	r := outcome.ResultOf(err)
	if r.Outcome == outcome.Forbidden && closed(from.Revoked) {
		r.Outcome = outcome.Unauthenticated
	}
	return r
}

// report tells of a message that is refused for good, since nobody else is told.
func (b *Bridge) report(d *delivery, r outcome.Result) {
	if r.Outcome.Good() {
		return
	}
	b.log.Warn("a message is refused", zap.Stringer("outcome", r.Outcome), zap.String("reason", r.Reason),
		zap.String("device", d.device), zap.String("channel", d.message.Channel[:min(len(d.message.Channel), shownTopic)]))
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
	b.log.Warn("a message of QoS 0 is lost", zap.String("reason", reason), zap.String("device", d.device))
	d.place = nil
	b.decide(d, outcome.Overloaded)
}

// abandon leaves a delivery to the broker, which sends it again to the next bridge. With QoS 0 it does not.
func (b *Bridge) abandon(d *delivery) {
	if d.receipt == nil {
		b.log.Warn("a message of QoS 0 is lost", zap.String("reason", "the bridge stops"), zap.String("device", d.device))
		b.metrics.decided(outcome.Unavailable)
	}
	if d.place != nil {
		<-d.place
	}
}

// pause waits, and says no if the bridge stops before.
func (b *Bridge) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-b.stopping:
		return false
	}
}
