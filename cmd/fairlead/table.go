package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead/fairlead/internal/replay"
)

// A column shows one thing about a document. Age is about how long ago, on a terminal; elsewhere it is the time itself.
type column struct {
	name string
	text func(document) string
	time func(document) time.Time // instead of text
}

// A document is what a table shows a line of: an application, a device or an access token, as the API has it.
type document struct {
	Metadata struct {
		Name, Application string
		CreationTimestamp time.Time
		DeletionTimestamp *time.Time
		Labels            map[string]string
	}
	Spec struct {
		Core            struct{ Disabled bool }
		GatewaySelector struct{ MatchNames []string }
	}

	Prefix, Description string
	Created, Expires    time.Time
	Scope               struct {
		Applications []string
		Permission   string
	}

	User, Role string // of a member

	Anchor anchorLine

	Device, Protocol, Outcome string // of a command
	Listeners                 int

	Context  contextLine
	Endpoint endpointLine
	Letter   replay.Letter
}

func resourceColumns() []column {
	return []column{
		{name: "NAME", text: func(d document) string { return d.Metadata.Name }},
		{name: "STATE", text: state},
		{name: "LABELS", text: func(d document) string { return labelText(d.Metadata.Labels) }},
		{name: "AGE", time: func(d document) time.Time { return d.Metadata.CreationTimestamp }},
	}
}

func deviceColumns() []column {
	return slices.Insert(resourceColumns(), 2, column{name: "GATEWAYS", text: func(d document) string {
		return strings.Join(d.Spec.GatewaySelector.MatchNames, ",")
	}})
}

func state(d document) string {
	switch {
	case d.Metadata.DeletionTimestamp != nil:
		return "deleting"
	case d.Spec.Core.Disabled:
		return "disabled"
	default:
		return "enabled"
	}
}

func labelText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, name+"="+labels[name])
	}
	return strings.Join(parts, ",")
}

// plain is a document's line in a table without a terminal.
func (c column) plain(d document) string {
	if c.time == nil {
		return c.text(d)
	}
	if t := c.time(d); !t.IsZero() {
		return t.UTC().Format(time.RFC3339)
	}
	return ""
}

// pretty is what a person reads.
func (c column) pretty(d document, now time.Time) string {
	text := ""
	if c.time == nil {
		text = c.text(d)
	} else if t := c.time(d); !t.IsZero() {
		text = distance(t, now)
	}
	if text == "" {
		return "-"
	}
	return text
}

// distance is how far away a moment is, in one unit.
func distance(t, now time.Time) string {
	d, sign := now.Sub(t), ""
	if d < 0 {
		d, sign = -d, "in "
	}
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%s%ds", sign, d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%s%dm", sign, d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%s%dh", sign, d/time.Hour)
	default:
		return fmt.Sprintf("%s%dd", sign, d/(24*time.Hour))
	}
}

func readDocument(raw json.RawMessage) document {
	var d document
	_ = json.Unmarshal(raw, &d) // what has another form is shown as absent
	return d
}

// A plainList is a line for each document with tabs between fields, without a headline, for other programs.
type plainList struct {
	out     io.Writer
	columns []column
}

func (l *plainList) add(raw json.RawMessage) error {
	d := readDocument(raw)
	fields := make([]string, len(l.columns))
	for i, c := range l.columns {
		fields[i] = oneLine(c.plain(d))
	}
	_, err := fmt.Fprintln(l.out, strings.Join(fields, "\t"))
	return err
}

func (l *plainList) end(err error) error { return err }

// tableBatch is the number of lines that are aligned with each other.
const tableBatch = 200

// A tableList is for people: aligned, with a headline.
type tableList struct {
	out     io.Writer
	columns []column
	colour  bool
	now     time.Time
	rows    [][]string
	begun   bool
}

func newTable(out io.Writer, columns []column) *tableList {
	_, plain := os.LookupEnv("NO_COLOR")
	return &tableList{out: out, columns: columns, colour: isTerminal(out) && !plain, now: time.Now()}
}

func (t *tableList) add(raw json.RawMessage) error {
	d := readDocument(raw)
	row := make([]string, len(t.columns))
	for i, c := range t.columns {
		row[i] = oneLine(c.pretty(d, t.now))
	}
	if t.rows = append(t.rows, row); len(t.rows) < tableBatch {
		return nil
	}
	return t.flush()
}

func (t *tableList) end(err error) error {
	if flushed := t.flush(); err == nil {
		err = flushed
	}
	return err
}

func (t *tableList) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	headline := make([]string, len(t.columns))
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		headline[i], widths[i] = c.name, len(c.name)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	if !t.begun {
		t.begun = true
		if _, err := fmt.Fprintln(t.out, t.paint(bold, aligned(headline, widths))); err != nil {
			return err
		}
	}
	for _, row := range t.rows {
		line := aligned(row, widths)
		if slices.Contains(row, "disabled") || slices.Contains(row, "deleting") {
			line = t.paint(dim, line)
		}
		if _, err := fmt.Fprintln(t.out, line); err != nil {
			return err
		}
	}
	t.rows = t.rows[:0]
	return nil
}

// Escape sequences of terminals.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	normal = "\x1b[0m"
)

func (t *tableList) paint(colour, text string) string {
	if !t.colour {
		return text
	}
	return colour + text + normal
}

func aligned(row []string, widths []int) string {
	var b strings.Builder
	for i, field := range row {
		b.WriteString(field)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(field)+2))
		}
	}
	return b.String()
}

// oneLine keeps what others have named from breaking lines, and from writing to the terminal.
func oneLine(text string) string { return strings.ReplaceAll(printable(text), "\n", "·") }
