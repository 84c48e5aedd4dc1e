package numbered

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Kind says which promise was broken.
type Kind string

// The faults that Verify finds.
const (
	Lost       Kind = "lost"       // acknowledged, and not stored
	Unwelcome  Kind = "unwelcome"  // refused, and stored
	Disordered Kind = "disordered" // its first occurrence comes after that of a higher number
	Duplicated Kind = "duplicated" // stored more often than sent
	Invented   Kind = "invented"   // stored, and never sent
	Scattered  Kind = "scattered"  // in another partition than the device's other numbers
)

// A Fault is a broken promise about one message.
type Fault struct {
	Kind Kind
	Message
}

// String names message and fault.
func (f Fault) String() string {
	return fmt.Sprintf("number %d of %s is %s", f.Number, f.Device, f.Kind)
}

// Verify compares what was promised with what is stored, which is given in the order of the log, partition by
// partition. It returns every fault once, ordered by kind, device and number: none is what a test wants.
func (c *Checker) Verify(stored []Stored) []Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := verification{found: make(map[Message]int), last: make(map[string]Stored)}
	for _, s := range stored {
		v.add(s, c.fate(s.Message))
	}
	for device, numbers := range c.devices {
		for i := range numbers {
			m := Message{Device: device, Number: uint64(i + 1)}
			if numbers[i].mustBeStored() && v.found[m] == 0 {
				v.fault(Lost, m)
			}
		}
	}
	slices.SortFunc(v.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Number, b.Number))
	})
	return slices.Compact(v.faults)
}

// A verification is what Verify knows while it goes through the log.
type verification struct {
	found  map[Message]int
	last   map[string]Stored // of each device, the highest number so far
	faults []Fault
}

func (v *verification) fault(kind Kind, m Message) {
	v.faults = append(v.faults, Fault{Kind: kind, Message: m})
}

// add takes the next stored message, whose fate is nil if nobody sent it.
func (v *verification) add(s Stored, f *fate) {
	if f == nil {
		v.fault(Invented, s.Message)
		return
	}
	v.found[s.Message]++
	if f.mustNotBeStored() {
		v.fault(Unwelcome, s.Message)
	}
	if v.found[s.Message] > f.sent {
		v.fault(Duplicated, s.Message)
	}
	last, known := v.last[s.Device]
	switch {
	case known && last.Partition != s.Partition:
		v.fault(Scattered, s.Message)
	case known && last.Number > s.Number:
		if v.found[s.Message] == 1 {
			v.fault(Disordered, s.Message)
		}
	default:
		v.last[s.Device] = s
	}
}

// Summary is a text about faults, at most the first ten of each kind, for the message of a failed test.
func Summary(faults []Fault) string {
	const shown = 10
	byKind := make(map[Kind]int)
	var text strings.Builder
	for _, f := range faults {
		if byKind[f.Kind]++; byKind[f.Kind] <= shown {
			fmt.Fprintln(&text, f)
		}
	}
	for _, kind := range []Kind{Lost, Unwelcome, Disordered, Duplicated, Invented, Scattered} {
		if n := byKind[kind]; n > shown {
			fmt.Fprintf(&text, "and %d more are %s\n", n-shown, kind)
		}
	}
	return text.String()
}
