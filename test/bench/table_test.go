package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTableMarksWhatIsMissed(t *testing.T) {
	rows := []row{
		{figure: "a", value: "1", span: "0 to 2", target: "at most 1", holds: true},
		{figure: "b", value: "2", target: "at most 1"},
		{figure: "c", value: "3"},
		{figure: "d", value: "none", target: "at most 1", doubt: "rounds disagree"},
	}
	var got strings.Builder
	writeTable(&got, "title", rows)
	want := "title\n" +
		"  a  1     0 to 2  at most 1  holds\n" +
		"  b  2             at most 1  MISSED\n" +
		"  c  3                        \n" +
		"  d  none          at most 1  rounds disagree\n"
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
	if n := countMissed(rows); n != 1 {
		t.Errorf("%d missed", n)
	}
}

func TestQuantiles(t *testing.T) {
	f := func(s sample[float64], q, want float64) {
		t.Helper()
		if got := s.quantile(q); got != want {
			t.Errorf("%v of %v is %v, want %v", q, s, got, want)
		}
	}
	f(sample[float64]{7}, 0.5, 7)
	f(sample[float64]{3, 1, 2}, 0.5, 2)
	f(sample[float64]{4, 3, 2, 1}, 0.5, 3)
	f(sample[float64]{1, 2}, 0.99, 2)
	f(sample[float64]{1, 2}, 1, 2)
	f(sample[float64]{1, 2}, 0, 1)
}

func TestCompareTakesTheMedianOfTheRatiosOfRounds(t *testing.T) {
	bare := []burst{{perSecond: 100, perMillion: time.Second}, {perSecond: 50, perMillion: 2 * time.Second}, {perSecond: 100, perMillion: time.Second}}
	telemetry := []burst{{perSecond: 50, perMillion: 2 * time.Second}, {perSecond: 30, perMillion: 3600 * time.Millisecond}, {perSecond: 70, perMillion: 2200 * time.Millisecond}}
	rows := compare(bare, telemetry)
	want := []row{
		{figure: "processor time, telemetry to bare", value: "2.00", span: "1.80 to 2.20", target: "at most 1.50"},
		{figure: "throughput, telemetry to bare", value: "0.60", span: "0.50 to 0.70", target: "at least 0.60", holds: true},
	}
	if diff := cmp.Diff(want, rows[len(rows)-2:], cmp.AllowUnexported(row{})); diff != "" {
		t.Error(diff)
	}
}

func TestOptions(t *testing.T) {
	f := func(arguments string, want []string, rounds int) {
		t.Helper()
		o, err := parseOptions(strings.Fields(arguments))
		if want == nil {
			if err == nil {
				t.Errorf("%q is accepted", arguments)
			}
			return
		}
		if err != nil {
			t.Errorf("%q: %v", arguments, err)
			return
		}
		var got []string
		for _, m := range o.selected() {
			got = append(got, m.name)
		}
		if diff := cmp.Diff(want, got); diff != "" || o.size.rounds != rounds {
			t.Errorf("%q: %d rounds, %s", arguments, o.size.rounds, diff)
		}
	}
	all := []string{"http", "sink", "front", "coap", "psk", "decision", "start", "trigger", "burst", "pull", "mqtt", "opcua", "curve", "idle", "growth", "storm", "revocation", "command", "registry", "apply", "micro"}
	f("", all, fullSize.rounds)
	f("--quick", all, quickSize.rounds)
	f("--quick --rounds 9", all, 9)
	f("--only micro,http", []string{"http", "micro"}, fullSize.rounds)
	f("--compare main", []string{"compare"}, fullSize.rounds)
	f("--only nothing", nil, 0)
	f("micro", nil, 0)
}
