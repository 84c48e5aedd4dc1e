package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// A row is one figure.
type row struct {
	figure string
	value  string
	span   string // what else is known of its distribution
	target string // "" if there is none
	holds  bool   // meaningful with a target
	doubt  string // why the figure is not to be trusted; then nothing is said of the target
}

const missed = "MISSED"

func writeTable(w io.Writer, title string, rows []row) {
	fmt.Fprintln(w, title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", r.figure, r.value, r.span, r.target, r.verdict())
	}
	_ = t.Flush()
}

func (r row) verdict() string {
	switch {
	case r.doubt != "":
		return r.doubt
	case r.target == "":
		return ""
	case r.holds:
		return "holds"
	default:
		return missed
	}
}

func countMissed(rows []row) (n int) {
	for _, r := range rows {
		if r.verdict() == missed {
			n++
		}
	}
	return n
}
