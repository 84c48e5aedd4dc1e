package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/fairlead/fairlead/internal/devcloud/demo"
	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
	"github.com/fairlead/fairlead/internal/refusal"
)

// A screen shows what happens: as lines or, in a demonstration on a terminal, as a table.
type screen struct {
	terminal terminal
	lines    bool // print a line for each delivered event
	show     *demo.Show
	refused  *refusal.Fold // of what devices are refused

	mu    sync.Mutex
	table *demo.Table // while it is shown
}

func newScreen(c *devCommand, t terminal, show *demo.Show) *screen {
	s := &screen{terminal: t, lines: c.Print, show: show}
	s.refused = refusal.NewFold(s.showRefusal)
	return s
}

// observe is told of every record that a Trigger is done with.
func (s *screen) observe(r dispatch.Report) {
	if s.show != nil {
		s.show.Observe(r)
	}
	if r.Result != dispatch.Delivered {
		return // the logger tells of what went wrong, and nobody asked for what was filtered out
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		s.table.Add(r)
		return
	}
	if s.lines {
		fmt.Fprintln(s.terminal.out, deliveryLine(r))
	}
}

// showRefusal tells of what was refused.
func (s *screen) showRefusal(r refusal.Folded) {
	if !s.lines {
		return
	}
	line := refusalLine(time.Now(), r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		s.table.Log(line)
		return
	}
	fmt.Fprintln(s.terminal.out, line)
}

// Widths to which the parts of a line are cut.
const (
	whoWidth    = 60
	whereWidth  = 60
	reasonWidth = 160
)

// refusalLine says in one line who was refused what, how that was answered, and why.
func refusalLine(now time.Time, f refusal.Folded) string {
	clock, seconds := receiver.Clock(now), int(refusal.FoldWindow/time.Second)
	if f.Others {
		return fmt.Sprintf("%s  refused  … %d more of other kinds within %d s", clock, f.More, seconds)
	}
	r := f.Report
	line := fmt.Sprintf("%s  refused  %-4s  %s, %s  → %s  %s", clock, r.Protocol, receiver.Printable(r.Who(), whoWidth), receiver.Printable(r.Where, whereWidth),
		receiver.Printable(r.Answer, whereWidth), receiver.Printable(r.Reason, reasonWidth))
	if f.More > 0 {
		line += fmt.Sprintf("  (… %d more like this within %d s)", f.More, seconds)
	}
	return line
}

// deliveryLine is what happened to one event, in one line.
func deliveryLine(r dispatch.Report) string {
	attempts := ""
	if r.Attempts > 1 {
		attempts = fmt.Sprintf(", attempt %d", r.Attempts)
	}
	return fmt.Sprintf("%s  → %s %d (%d ms%s)", receiver.Line(*r.Event), r.Subscription, r.Status, r.Elapsed.Milliseconds(), attempts)
}

// run shows the table until the context ends, if this is a demonstration on a terminal.
func (s *screen) run(ctx context.Context, status func() []dispatch.Status) {
	file, ok := s.terminal.out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return
	}
	size := func() (width, height int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 80, 24
		}
		return width, height
	}
	table := demo.NewTable(s.show, status, size)
	s.mu.Lock()
	s.table = table
	s.mu.Unlock()
	table.Run(ctx, file)
	s.mu.Lock()
	s.table = nil
	s.mu.Unlock()
	fmt.Fprintln(s.terminal.out, s.show.Summary())
}

// logger writes lines for people. While the table is shown they go into its last line.
func (s *screen) logger() *slog.Logger { return slog.New(&lineHandler{write: s.log}) }

func (s *screen) log(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.table != nil {
		s.table.Log(line)
		return
	}
	fmt.Fprintln(s.terminal.err, line)
}
