package auth

import (
	"fmt"
	"net/http"
	"time"

	"github.com/fairlead/fairlead/internal/registry"
)

// Headers of an answer with what the contract has no place for. They are Fairlead's own addition; an answer without them is
// taken as well.
const (
	revisionsHeader  = "Fairlead-Revisions"
	proofHeader      = "Fairlead-Proof"
	untilHeader      = "Fairlead-Until"
	credentialHeader = "Fairlead-Guess"
)

// noGuess is the value of credentialHeader for a sender whose own credential was right.
const noGuess = "no"

// Notes are what an answer tells beside its documents: in headers, or, of an answer among many, in members of its own.
type Notes struct {
	// Revisions of the documents, which they do not carry: of the application, the device, and the device to act for, in
	// decimal, 0 where there is none; "" for a refusal.
	Revisions string `json:"revisions,omitempty"`
	Proof     string `json:"proof,omitempty"` // base64url
	Until     string `json:"until,omitempty"` // RFC 3339; see Session.Until
	// NoGuess says of a refusal that the sender's own credential was right.
	NoGuess bool `json:"noGuess,omitempty"`
}

// Header writes notes into the headers of an answer.
func (n Notes) Header(h http.Header) {
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set(revisionsHeader, n.Revisions)
	set(proofHeader, n.Proof)
	set(untilHeader, n.Until)
	if n.NoGuess {
		h.Set(credentialHeader, noGuess)
	}
}

func notesIn(h http.Header) Notes {
	return Notes{h.Get(revisionsHeader), h.Get(proofHeader), h.Get(untilHeader), h.Get(credentialHeader) == noGuess}
}

// proof is the proof, "" for what does not parse.
func (n Notes) proof() Proof {
	p, err := parseProof(n.Proof)
	if err != nil {
		return ""
	}
	return p
}

// until is the time, zero for what does not parse.
func (n Notes) until() time.Time {
	t, err := time.Parse(time.RFC3339Nano, n.Until)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Answer is the outcome of a request that was decided, whatever the decision was. An error that is none stays one.
func Answer(s *Session, err error) (WireOutcome, error) {
	if pass, undecided := decided(err); !pass {
		return WireOutcome{Notes: Notes{NoGuess: hadRightCredential(err)}}, undecided
	}
	notes := Notes{Revisions: revisionsOf(metadataOf(s.Application, s.Device, s.As)), Proof: s.proof.text()}
	if !s.until.IsZero() {
		notes.Until = s.until.UTC().Format(time.RFC3339Nano)
	}
	return WireOutcome{&WirePass{Application: s.Application, Device: s.Device, As: s.As}, notes}, nil
}

// AnswerAs is Answer for AuthorizeAs.
func AnswerAs(device *registry.Device, err error) (WireOutcome, error) {
	if pass, undecided := decided(err); !pass {
		return WireOutcome{}, undecided
	}
	return WireOutcome{&WirePass{As: device}, Notes{Revisions: revisionsOf(metadataOf(nil, nil, device))}}, nil
}

// AnswerKey is Answer for PreSharedKey.
func AnswerKey(k Key, err error) (WireKeyOutcome, error) {
	if found, undecided := decided(err); !found {
		return WireKeyOutcome{}, undecided
	}
	return WireKeyOutcome{
		&WireKey{Application: k.Application, Device: k.Device, Key: registry.PreSharedKey{Key: k.Secret, Validity: k.Validity}},
		Notes{Revisions: revisionsOf(metadataOf(k.Application, k.Device, nil)), Proof: k.Proof.text()},
	}, nil
}

func revisionsOf(documents [3]*registry.Metadata) string {
	var r [3]uint64
	for i, m := range documents {
		if m != nil {
			r[i] = m.Revision
		}
	}
	return fmt.Sprintf("%d %d %d", r[0], r[1], r[2])
}

// stamp puts revisions into documents; what does not parse stamps nothing.
func stamp(revisions string, documents [3]*registry.Metadata) {
	var r [3]uint64
	if _, err := fmt.Sscanf(revisions, "%d %d %d", &r[0], &r[1], &r[2]); err != nil {
		return
	}
	for i, m := range documents {
		if m != nil {
			m.Revision = r[i]
		}
	}
}

// metadataOf lists the metadata of documents, nil where there is none.
func metadataOf(application *registry.Application, device, as *registry.Device) (all [3]*registry.Metadata) {
	if application != nil {
		all[0] = &application.Metadata
	}
	if device != nil {
		all[1] = &device.Metadata
	}
	if as != nil {
		all[2] = &as.Metadata
	}
	return all
}

// note takes the notes of an answer.
func (a *WireAnswer[T]) note(n Notes) {
	switch o := any(&a.Outcome).(type) {
	case *WireOutcome:
		o.take(n)
	case *WireKeyOutcome:
		o.Notes = n
		if o.Found != nil {
			stamp(n.Revisions, metadataOf(o.Found.Application, o.Found.Device, nil))
		}
	}
}

func (o *WireOutcome) take(n Notes) {
	o.Notes = n
	if o.Pass != nil {
		stamp(n.Revisions, metadataOf(o.Pass.Application, o.Pass.Device, o.Pass.As))
	}
}
