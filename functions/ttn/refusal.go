package ttn

import (
	"net/http"

	"github.com/fairlead/fairlead/internal/outcome"
)

// A Refusal says why a webhook's body was not taken. Its text is meant for the sender and quotes nothing of the body
// but names of members: a body can hold keys for downlinks.
type Refusal struct {
	// Name is the stable name of the error in the answer: InvalidFormat for a body that cannot be read,
	// InvalidRequest for one that can be read but holds no message for this path.
	Name   string
	Reason string
}

// Names of refusals, as the wire contract spells them.
const (
	InvalidFormat  = "InvalidFormat"
	InvalidRequest = "InvalidRequest"
)

var _ error = (*Refusal)(nil)

func (r *Refusal) Error() string {
	if r.Name == InvalidFormat {
		return "Invalid data format: " + r.Reason
	}
	return "Invalid data: " + r.Reason
}

// document is the body of the answer.
func (r *Refusal) document() outcome.Document {
	return outcome.Document{Code: http.StatusBadRequest, Error: r.Name, Message: r.Error()}
}

func malformed(reason string) *Refusal { return &Refusal{Name: InvalidFormat, Reason: reason} }

func unsuitable(reason string) *Refusal { return &Refusal{Name: InvalidRequest, Reason: reason} }
