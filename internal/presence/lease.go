package presence

import (
	"time"

	"github.com/fairlead/fairlead/internal/auth"
	"github.com/fairlead/fairlead/internal/event"
	"github.com/fairlead/fairlead/internal/outcome"
)

// A Lease is a session that holds its device. There may be tens of thousands: it has no goroutine and no timer, and shares
// the names with the registry's documents.
type Lease struct {
	tracker *Tracker
	lost    func()
	epoch   epoch
	device  deviceName
	will    string // encoded; "" for none

	// What follows is guarded by the tracker.
	begun, ended int64         // microseconds since 1970
	ready        chan struct{} // closed when the connection event is stored or the device lost; nil once Claim has returned
	life         uint32        // of the node, under which the session was last seen to hold its device
	state        state
	written      bool // the claim is in Redis
	stored       bool // the connection event is known to be in Kafka
	fire         bool // at the end, the will is published
	force        bool // the end is made known even if Redis has lost the session
}

// A deviceName is what the events of a session say of their origin.
type deviceName struct{ application, applicationUID, name, uid string }

// A state is where a Lease is in its life, which only goes forward.
type state uint8

const (
	claiming state = iota // Claim has not returned
	holding
	gone // released or lost
)

// newLease checks the will and makes a lease that nobody knows of yet.
func (t *Tracker) newLease(s *auth.Session, w *Will, lost func()) (*Lease, error) {
	l := &Lease{
		tracker: t,
		lost:    lost,
		epoch:   newEpoch(),
		device: deviceName{
			s.Application.Metadata.Name, s.Application.Metadata.UID, s.Device.Metadata.Name, s.Device.Metadata.UID,
		},
		ready: make(chan struct{}),
	}
	if w == nil {
		return l, nil
	}
	if err := t.checkWill(w); err != nil {
		return nil, err
	}
	l.will = encode(*w)
	return l, nil
}

// checkWill refuses what could never be published. Texts from a packet may not be UTF-8.
func (t *Tracker) checkWill(w *Will) error {
	if len(w.Payload) > t.config.MaxWill {
		return outcome.New(outcome.TooLarge, "the will is too large")
	}
	if err := event.ValidateSubject(w.Topic); err != nil {
		return outcome.New(outcome.Invalid, "the will's topic: "+err.Error())
	}
	if err := event.ValidateContentType(w.ContentType); err != nil {
		return outcome.New(outcome.Invalid, "the will: "+err.Error())
	}
	return nil
}

// Release ends the session. fireWill publishes the will, too. It does not block: the end is queued and written as soon as
// Redis can be reached. It does nothing if the device was lost or released before; after it, lost is not called.
func (l *Lease) Release(fireWill bool) {
	t := l.tracker
	t.mu.Lock()
	if l.state != holding {
		t.mu.Unlock()
		return
	}
	t.retire(l)
	l.fire, l.force = fireWill, true
	t.mu.Unlock()
	t.endings.add(l)
}

// member is the device's name in Redis.
func (l *Lease) member() string { return member(l.device.application, l.device.name) }

// origin is what events say of where they come from, encoded.
func (l *Lease) origin() string {
	return encode(origin{
		Application: l.device.application, ApplicationUID: l.device.applicationUID,
		Device: l.device.name, DeviceUID: l.device.uid,
	})
}

// since is when the session began.
func (l *Lease) since() time.Time { return time.UnixMicro(l.begun) }
