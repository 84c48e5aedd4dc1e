package replay

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/internal/stream"
)

func TestPosition(t *testing.T) {
	f := func(name string, next int64, steps string, want string) {
		t.Helper()
		p := &position{next: next, end: noEnd}
		for step := range strings.FieldsSeq(steps) {
			var s stream.Span
			if _, err := fmt.Sscanf(step, "%d-%d", &s.From, &s.To); err != nil {
				t.Fatal(err)
			}
			p.finish(s)
		}
		if got := strings.TrimSpace(fmt.Sprintf("%d %s", p.next, p.metadata())); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("nothing", 5, "", "5")
	f("in order", 5, "5-6 6-7", "7")
	f("a gap", 5, "6-7 8-9", "5 6-7 8-9")
	f("out of order", 5, "8-9 6-7", "5 6-7 8-9")
	f("gap is closed", 5, "6-7 8-9 5-6", "7 8-9")
	f("neighbours", 5, "6-7 7-8", "5 6-8")
	f("over several", 5, "6-7 8-9 10-11 7-10", "5 6-11")
	f("known", 5, "3-4 4-6", "6")
	f("empty", 5, "7-7", "5")
}

func TestPositionTakesGapsAsDone(t *testing.T) {
	p := &position{next: 3, end: noEnd}
	for _, offset := range []int64{5, 6, 9} {
		if p.take(offset) {
			t.Errorf("%d is done", offset)
		}
	}
	p.finish(stream.Span{From: 6, To: 7})
	if got := fmt.Sprintf("%d %s", p.next, p.metadata()); got != "5 6-9" {
		t.Errorf("position %s", got)
	}
}

// What is read back never says that more is done than was.
func TestMetadata(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		p := &position{next: random.Int64N(100), end: random.Int64N(100_000)}
		for range random.IntN(2000) {
			from := random.Int64N(100_000)
			p.finish(stream.Span{From: from, To: from + 1 + random.Int64N(5)})
		}
		text := p.metadata()
		if len(text) > maxMetadata {
			t.Fatalf("%d bytes", len(text))
		}
		q, err := readPosition(p.next, text)
		if err != nil || q.next != p.next || q.end != p.end {
			t.Fatalf("%+v, %v", q, err)
		}
		for _, s := range q.beyond {
			if !p.has(s.From) || !p.has(s.To-1) {
				t.Fatalf("%v was not done", s)
			}
		}
		if len(q.beyond) < min(len(p.beyond), 200) {
			t.Fatalf("%d spans of %d", len(q.beyond), len(p.beyond))
		}
	}
}

func FuzzReadPosition(f *testing.F) {
	for _, seed := range []string{"", "end=5", "end=9 3-4 6-7", "3-", "end=", "4-3", "end=1 1-2 1-2"} {
		f.Add(int64(1), seed)
	}
	f.Fuzz(func(t *testing.T, next int64, text string) {
		p, err := readPosition(next, text)
		if err != nil {
			return
		}
		again, err := readPosition(p.next, p.metadata())
		if err != nil || again.next != p.next || again.metadata() != p.metadata() {
			t.Errorf("%+v becomes %+v, %v", p, again, err)
		}
	})
}
