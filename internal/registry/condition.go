package registry

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// SectionConditions is the section of a status that says what became of a resource.
const SectionConditions = "conditions"

// Types of conditions of applications.
const (
	KafkaReady   = "KafkaReady"   // the topic is there
	KnativeReady = "KnativeReady" // the objects in the cluster are there
	Ready        = "Ready"        // everything that has a condition is there
)

// A Condition is one thing that is or is not so, as in Kubernetes. It may be True, False or Unknown.
type Condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"`
	Reason             string    `json:"reason,omitempty"`  // one word
	Message            string    `json:"message,omitempty"` // for people
	LastTransitionTime time.Time `json:"lastTransitionTime"`
}

// Values of Condition.Status.
const (
	True    = "True"
	False   = "False"
	Unknown = "Unknown"
)

// Conditions are those of one resource.
type Conditions []Condition

// Find gives the condition of a type.
func (c Conditions) Find(kind string) (Condition, bool) {
	at := slices.IndexFunc(c, func(one Condition) bool { return one.Type == kind })
	if at < 0 {
		return Condition{}, false
	}
	return c[at], true
}

// With returns the conditions with one of them set. The time of its transition is the given one only if its status changes.
func (c Conditions) With(one Condition, now time.Time) Conditions {
	one.LastTransitionTime = now.UTC().Truncate(time.Second)
	if before, ok := c.Find(one.Type); ok && before.Status == one.Status {
		one.LastTransitionTime = before.LastTransitionTime
	}
	all := append(c.Without(one.Type), one)
	slices.SortStableFunc(all, func(a, b Condition) int { return strings.Compare(a.Type, b.Type) })
	return all
}

// Without returns the conditions without those of a type.
func (c Conditions) Without(kind string) Conditions {
	return slices.DeleteFunc(slices.Clone(c), func(one Condition) bool { return one.Type == kind })
}

// Aggregate returns the conditions with Ready set to what the others come to: the first of them that is False, else the first that is
// Unknown, else True.
func (c Conditions) Aggregate(now time.Time) Conditions {
	others := c.Without(Ready)
	ready := Condition{Type: Ready, Status: True}
	for _, status := range []string{False, Unknown} {
		at := slices.IndexFunc(others, func(one Condition) bool { return one.Status == status })
		if at >= 0 {
			worst := others[at]
			ready.Status, ready.Reason = status, cmp.Or(worst.Reason, "NotReady")
			ready.Message = worst.Type + ": " + cmp.Or(worst.Message, "no reason is given")
			break
		}
	}
	return c.With(ready, now)
}

// Conditions reads the conditions of a status.
func (s Sections) Conditions() (Conditions, error) {
	all, _, err := Decode[Conditions](s, SectionConditions)
	return all, err
}

// WithConditions returns a copy of a status with other conditions.
func (s Sections) WithConditions(all Conditions) (Sections, error) {
	text, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("writing conditions: %w", err)
	}
	with := s.Without()
	with[SectionConditions] = text
	return with, nil
}
