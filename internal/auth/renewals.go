package auth

import (
	"errors"

	"github.com/fairlead/fairlead/internal/outcome"
)

// MaxRenewals is how many requests one question of PathRenewals may hold.
const MaxRenewals = 256

// WireRenewals is the question of PathRenewals: many requests of PathAuthenticate at once, since one change in the registry has
// many sessions judged again.
type WireRenewals struct {
	Requests []WireRequest `json:"requests"`
}

// String keeps credentials out of logs.
func (WireRenewals) String() string { return "renewals" }

// GoString keeps credentials out of logs.
func (r WireRenewals) GoString() string { return r.String() }

// WireRenewed is the answer of PathRenewals: as many answers as there were requests, in their order.
type WireRenewed struct {
	Answers []WireRenewal `json:"answers"`
}

// A WireRenewal is one answer of many: an outcome with its notes, or an error where there is no decision.
type WireRenewal struct {
	Outcome *WireOutcome `json:"outcome,omitempty"`
	Notes
	// Closed says of a refusal that every device of the application is refused.
	Closed bool   `json:"closed,omitempty"`
	Error  string `json:"error,omitempty"` // label of an outcome: unavailable or overloaded
}

// Renewed is the answer to one request of many.
func Renewed(s *Session, err error) WireRenewal {
	closed := refusesApplication(err)
	answer, err := Answer(s, err)
	if err != nil {
		return WireRenewal{Error: outcome.Of(err).String()}
	}
	return WireRenewal{Outcome: &answer, Notes: answer.Notes, Closed: closed}
}

// decision is what an answer says.
func (r WireRenewal) decision() (*Session, error) {
	switch {
	case r.Error == outcome.Overloaded.String():
		return nil, overloaded("the authentication service has too much to do")
	case r.Outcome == nil:
		return nil, unreachable(errors.New("there is no decision on a renewal"))
	}
	if r.Outcome.Pass == nil && r.Closed {
		return nil, refusedFor(errApplicationDisabled)
	}
	r.Outcome.take(r.Notes)
	return sessionOf(*r.Outcome)
}

// sessionOf is what an outcome says.
func sessionOf(o WireOutcome) (*Session, error) {
	pass := o.Pass
	switch {
	case pass == nil && o.Notes.NoGuess:
		return nil, withRightCredential(refused())
	case pass == nil:
		return nil, refused()
	case pass.Application == nil || pass.Device == nil:
		return nil, unreachable(errors.New("the answer lacks documents"))
	}
	return &Session{Application: pass.Application, Device: pass.Device, As: pass.As, until: o.Notes.until(), proof: o.Notes.proof()}, nil
}

// question is the request in the words of the API.
func questionOf(r Request) WireRequest {
	return WireRequest{Application: r.Application, Device: r.Device, Credential: &WireCredential{r.Credential}, As: r.As, Remote: r.Remote, Renewal: r.Renewal}
}
