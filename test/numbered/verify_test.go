package numbered

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sent is what happened to a number: it is sent once for each answer.
type sent []Answer

// history makes a checker in which device d sent numbers 1, 2, … with these answers.
func history(numbers ...sent) *Checker {
	c := New()
	for _, answers := range numbers {
		m := c.Next("d")
		for i, a := range answers {
			if i > 0 {
				c.Again(m)
			}
			c.Answered(m, a)
		}
	}
	return c
}

// log is a topic with one partition that has these numbers of device d.
func log(numbers ...uint64) []Stored {
	var all []Stored
	for offset, n := range numbers {
		all = append(all, Stored{Message: Message{"d", n}, Offset: int64(offset)})
	}
	return all
}

func TestVerify(t *testing.T) {
	ok, no, open := sent{Acknowledged}, sent{Refused}, sent{Unknown}
	f := func(c *Checker, stored []Stored, want ...Fault) {
		t.Helper()
		if diff := cmp.Diff(want, c.Verify(stored)); diff != "" {
			t.Errorf("faults (-want +got):\n%s", diff)
		}
	}
	fault := func(kind Kind, number uint64) Fault { return Fault{kind, Message{"d", number}} }

	f(history(), nil)
	f(history(ok, ok, ok), log(1, 2, 3))

	// Lost.
	f(history(ok, ok, ok), log(1, 3), fault(Lost, 2))
	f(history(ok), nil, fault(Lost, 1))
	f(history(sent{Unknown, Acknowledged}), nil, fault(Lost, 1))
	f(history(sent{Acknowledged, Refused}), nil, fault(Lost, 1))

	// No decision: either is right.
	f(history(open, open), log(2))
	f(history(sent{}, sent{}), log(1))

	// Refused.
	f(history(no, ok), log(2))
	f(history(no, ok), log(1, 2), fault(Unwelcome, 1))
	f(history(sent{Refused, Unknown}), log(1))
	f(history(sent{Refused, Acknowledged}), log(1))

	// Order.
	f(history(ok, ok, ok), log(1, 3, 2), fault(Disordered, 2))
	f(history(ok, ok, ok), log(3, 2, 1), fault(Disordered, 1), fault(Disordered, 2))
	f(history(open, ok), log(2, 1), fault(Disordered, 1))
	f(history(sent{Unknown, Acknowledged}, ok), log(1, 2, 1)) // the second sending came late

	// Duplicates.
	f(history(ok, ok), log(1, 1, 2), fault(Duplicated, 1))
	f(history(open, ok), log(1, 1, 2), fault(Duplicated, 1))
	f(history(sent{Unknown, Acknowledged}), log(1, 1))
	f(history(sent{Unknown, Acknowledged}), log(1, 1, 1, 1), fault(Duplicated, 1))

	// Never sent.
	f(history(ok), log(1, 2), fault(Invented, 2))
	f(history(ok), append(log(1), Stored{Message: Message{"e", 1}}), Fault{Invented, Message{"e", 1}})

	// Two partitions.
	f(history(ok, ok), []Stored{{Message: Message{"d", 1}}, {Message: Message{"d", 2}, Partition: 1}}, fault(Scattered, 2))
}

func TestDevicesAreIndependent(t *testing.T) {
	c := New()
	for range 2 {
		c.Answered(c.Next("a"), Acknowledged)
		c.Answered(c.Next("b"), Acknowledged)
	}
	stored := []Stored{{Message: Message{"b", 1}}, {Message: Message{"b", 2}}, {Message: Message{"a", 1}}, {Message: Message{"a", 2}}}
	if faults := c.Verify(stored); len(faults) > 0 {
		t.Error(faults)
	}
	if diff := cmp.Diff([]Fault{{Lost, Message{"a", 2}}}, c.Verify(stored[:3])); diff != "" {
		t.Error(diff)
	}
}

func TestCounts(t *testing.T) {
	c := history(sent{Acknowledged}, sent{Unknown, Unknown, Acknowledged}, sent{Refused})
	c.Answered(Message{"d", 4}, Acknowledged) // nobody's
	c.Again(Message{"d", 0})
	if got, want := c.Counts(), (Counts{Acknowledged: 2, Refused: 1, Unknown: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAnswerOf(t *testing.T) {
	f := func(status int, want Answer) {
		t.Helper()
		if got := AnswerOf(status); got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
	f(0, Unknown)
	f(200, Acknowledged)
	f(202, Acknowledged)
	f(403, Refused)
	f(413, Refused)
	f(500, Unknown)
	f(503, Unknown)
}

func TestSummary(t *testing.T) {
	var faults []Fault
	for n := range uint64(12) {
		faults = append(faults, Fault{Lost, Message{"d", n + 1}})
	}
	text := Summary(append(faults, Fault{Duplicated, Message{"e", 7}}))
	for _, want := range []string{"number 10 of d is lost\n", "number 7 of e is duplicated\n", "and 2 more are lost\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if strings.Contains(text, "number 11") {
		t.Errorf("too much in %q", text)
	}
	if Summary(nil) != "" {
		t.Error("a summary of nothing says something")
	}
}

func TestAcknowledged(t *testing.T) {
	c := history(sent{Acknowledged}, sent{Unknown})
	for number, want := range map[uint64]bool{0: false, 1: true, 2: false, 3: false} {
		if got := c.Acknowledged(Message{"d", number}); got != want {
			t.Errorf("number %d: %v", number, got)
		}
	}
}
