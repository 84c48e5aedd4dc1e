package main

import (
	"fmt"
	"slices"
	"time"
)

// A sample is what was measured several times.
type sample[T ~int64 | ~float64] []T

// quantile is the value below which a part q of the sample lies, the median for 0.5. The sample must not be empty.
func (s sample[T]) quantile(q float64) T {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s sample[T]) median() T { return s.quantile(0.5) }

// span is the smallest and the largest value, in the given format.
func (s sample[T]) span(format func(T) string) string {
	return fmt.Sprintf("%s to %s", format(slices.Min(s)), format(slices.Max(s)))
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func whole(v float64) string { return fmt.Sprintf("%.0f", v) }

func tenths(v float64) string { return fmt.Sprintf("%.1f", v) }

// millis writes a duration in milliseconds, as one compares them most easily.
func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
