package main

import (
	"fmt"
	"slices"
)

// maxDisagreement is the factor between the quartiles of the ratios of rounds above which no ratio is printed: something else happened on
// the machine that did not meet both sides alike.
const maxDisagreement = 1.5

// A goal is the target of a ratio.
type goal struct {
	words string // "" if there is none
	limit float64
}

func atMost(limit float64) goal { return goal{"at most", limit} }

func atLeast(limit float64) goal { return goal{"at least", limit} }

func (g goal) String() string {
	if g.words == "" {
		return ""
	}
	return g.words + " " + ratio(g.limit)
}

func (g goal) holds(v float64) bool {
	return g.words == "at most" && v <= g.limit || g.words == "at least" && v >= g.limit
}

// ratioRow is the median of the ratios of rounds, unless they disagree.
func ratioRow(figure string, ratios sample[float64], g goal) row {
	r := row{figure: figure, value: ratio(ratios.median()), span: ratios.span(ratio), target: g.String(), holds: g.holds(ratios.median())}
	if ratios.disagree() {
		r.value, r.doubt = "none", fmt.Sprintf("rounds disagree by more than %.1f", maxDisagreement)
	}
	return r
}

// disagree tells whether the middle half of a sample is wider than maxDisagreement.
func (s sample[T]) disagree() bool {
	sorted := slices.Sorted(slices.Values(s))
	low, high := sorted[(len(sorted)-1)/4], sorted[len(sorted)-1-(len(sorted)-1)/4]
	return float64(high) > maxDisagreement*float64(low)
}
