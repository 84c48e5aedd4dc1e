package command

import commands "github.com/fairlead/fairlead/internal/command"

// An Outcome is what became of a command for one connected device and protocol.
type Outcome string

// The outcomes.
const (
	Reached Outcome = "reached" // it was handed to the connection, or the endpoint outside has taken it
	Refused Outcome = "refused" // who listens cannot be sent this command
	Unheard Outcome = "unheard" // nobody listens
	Silent  Outcome = "silent"  // a process was given the command, and did not say in time whether it could hand it over
)

// A Target is one connected device, and a protocol by which it listens.
type Target struct {
	Device    string  `json:"device"` // the device itself or a gateway of it
	Protocol  string  `json:"protocol,omitempty"`
	Outcome   Outcome `json:"outcome"`
	Listeners int     `json:"listeners,omitempty"` // how many have that outcome; processes, with Silent
}

// A Result tells what became of a command.
type Result struct {
	External bool     `json:"-"`       // an endpoint outside has it, instead of listeners
	Asked    bool     `json:"-"`       // the caller waited for the device's answer
	Reached  int      `json:"reached"` // listeners, or the endpoint outside
	Targets  []Target `json:"targets"`

	Answer  *commands.Answer `json:"-"` // of the device; nil if there is none
	Awaited string           `json:"-"` // the device that may answer to another process; "" if none does
}

// add adds what became of the command for one connected device.
func (r *Result) add(device string, receipt *commands.Receipt) {
	before := len(r.Targets)
	more := func(protocol string, o Outcome, n int) {
		if n > 0 {
			r.Targets = append(r.Targets, Target{Device: device, Protocol: protocol, Outcome: o, Listeners: n})
		}
	}
	for _, of := range receipt.Reach {
		more(of.Protocol, Reached, of.Taken)
		more(of.Protocol, Refused, of.Refused)
	}
	more("", Silent, receipt.Silent)
	if len(r.Targets) == before {
		r.Targets = append(r.Targets, Target{Device: device, Outcome: Unheard})
	}
	r.Reached += receipt.Reach.Taken()
}

// handed tells whether a device may have the command, so that it must not be sent again.
func (r *Result) handed() bool {
	for _, t := range r.Targets {
		if t.Outcome == Reached || t.Outcome == Silent {
			return true
		}
	}
	return false
}

// summary is the outcome of the command as a whole, for logs and metrics.
func (r *Result) summary() Outcome {
	for _, o := range []Outcome{Reached, Silent, Refused} {
		for _, t := range r.Targets {
			if t.Outcome == o {
				return o
			}
		}
	}
	return Unheard
}
