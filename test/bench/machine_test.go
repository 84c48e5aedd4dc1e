package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMachineTime(t *testing.T) {
	f := func(line string, want machineTime) {
		t.Helper()
		if got := parseMachineTime(line); got != want {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
	f("cpu  100 1 20 300 4 5 6 64 7 8\n", machineTime{500, 64, 304})
	f("cpu0 100 1 20 300 4 5 6 64 7 8\n", machineTime{})
	f("cpu 100 1 20 300 4 5 6\n", machineTime{})
	f("cpu 100 1 20 x 4 5 6 64 7 8\n", machineTime{})
	f("", machineTime{})
}

func TestNoRatioWhereRoundsDisagree(t *testing.T) {
	f := func(ratios sample[float64], g goal, want row) {
		t.Helper()
		want.figure = "a"
		if diff := cmp.Diff(want, ratioRow("a", ratios, g), cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("%v: %s", ratios, diff)
		}
	}
	f(sample[float64]{1, 1.2, 1.4}, atMost(1.2), row{value: "1.20", span: "1.00 to 1.40", target: "at most 1.20", holds: true})
	f(sample[float64]{1, 1.2, 1.4}, atMost(1.1), row{value: "1.20", span: "1.00 to 1.40", target: "at most 1.10"})
	f(sample[float64]{1, 1.2, 1.4}, atLeast(1.1), row{value: "1.20", span: "1.00 to 1.40", target: "at least 1.10", holds: true})
	f(sample[float64]{1, 1.2, 1.4}, goal{}, row{value: "1.20", span: "1.00 to 1.40"})
	f(sample[float64]{1, 1.1, 1.2, 1.3, 9}, goal{}, row{value: "1.20", span: "1.00 to 9.00"})
	f(sample[float64]{1, 1.6}, atMost(2), row{value: "none", span: "1.00 to 1.60", target: "at most 2.00", holds: true, doubt: "rounds disagree by more than 1.5"})
	f(sample[float64]{1, 1, 2, 3, 3}, goal{}, row{value: "none", span: "1.00 to 3.00", doubt: "rounds disagree by more than 1.5"})
}
