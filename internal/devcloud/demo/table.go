package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/fairlead/fairlead/internal/devcloud/dispatch"
	"github.com/fairlead/fairlead/internal/devcloud/receiver"
)

const (
	redrawInterval = 250 * time.Millisecond
	maxRows        = 500 // kept, whatever the terminal shows
	maxData        = 300 // characters kept of an event's data
	maxDelays      = 200 // of which the median is shown

	// Terminal control (ECMA-48, and xterm's alternate screen).
	enterScreen = "\x1b[?1049h\x1b[?25l" // alternate screen, cursor hidden
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	bold        = "\x1b[1m"
	dim         = "\x1b[2m"
	plain       = "\x1b[0m"
)

// A Table shows the newest deliveries on a terminal, newest first.
type Table struct {
	show   *Show
	status func() []dispatch.Status
	size   func() (width, height int)

	mu     sync.Mutex
	rows   []row // newest last
	delays []time.Duration
	note   string // last line of the log
}

// A row is one delivery.
type row struct {
	at                             time.Time
	device, subject, data, trigger string
	status                         int
	delay                          time.Duration
}

// NewTable makes a table; size tells how large the terminal is.
func NewTable(show *Show, status func() []dispatch.Status, size func() (width, height int)) *Table {
	return &Table{show: show, status: status, size: size}
}

// Add adds a delivery.
func (t *Table) Add(r dispatch.Report) {
	now := time.Now()
	added := row{
		at: now, device: receiver.Attribute(*r.Event, "device"), subject: r.Event.Subject(),
		data: readings(*r.Event), trigger: r.Subscription, status: r.Status,
	}
	if sent := r.Event.Time(); !sent.IsZero() {
		added.delay = now.Sub(sent)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, added)
	t.delays = append(t.delays, added.delay)
	t.rows = t.rows[max(0, len(t.rows)-maxRows):]
	t.delays = t.delays[max(0, len(t.delays)-maxDelays):]
}

// readings is the data of an event: an object of numbers and texts without JSON's quotes and braces, anything else as it is.
func readings(event cloudevents.Event) string {
	var members map[string]any
	if json.Unmarshal(event.Data(), &members) != nil || len(members) == 0 {
		return receiver.Data(event, maxData)
	}
	cells := make([]string, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch value := members[name].(type) {
		case map[string]any, []any:
			return receiver.Data(event, maxData)
		default:
			cells = append(cells, fmt.Sprintf("%s %v", name, value))
		}
	}
	return receiver.Printable(strings.Join(cells, ", "), maxData)
}

// Log shows a line at the bottom until the next one.
func (t *Table) Log(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note = line
}

// Run draws until the context ends, and leaves the terminal as it was.
func (t *Table) Run(ctx context.Context, out io.Writer) {
	_, _ = io.WriteString(out, enterScreen)
	defer func() { _, _ = io.WriteString(out, leaveScreen) }()
	ticker := time.NewTicker(redrawInterval)
	defer ticker.Stop()
	for {
		// One write per picture, so that it does not flicker.
		_, _ = io.WriteString(out, t.picture())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// picture draws everything from the upper left corner on.
func (t *Table) picture() string {
	width, height := t.size()
	lines := t.lines(width, height)
	var b strings.Builder
	b.WriteString(home)
	for i, line := range lines[:min(len(lines), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line)
		b.WriteString(plain + clearLine)
	}
	b.WriteString(clearBelow)
	return b.String()
}

func (t *Table) lines(width, height int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := []string{bold + fit("Fairlead demo: simulated devices → HTTP → Kafka → Trigger → receiver", width)}
	lines = append(lines, fit(t.numbers(), width), "")
	columns := layout(width)
	lines = append(lines, dim+fit(columns.line("TIME", "DEVICE", "CHANNEL", "DATA", "HTTP", "DELAY"), width))
	// What remains for rows: without these lines, an empty one and the footer.
	room := max(0, height-len(lines)-2)
	for i := len(t.rows) - 1; i >= 0 && room > 0; i-- {
		r := t.rows[i]
		lines = append(lines, fit(columns.line(receiver.Clock(r.at), r.device, r.subject, r.data,
			fmt.Sprint(r.status), milliseconds(r.delay)), width))
		room--
	}
	for ; room > 0; room-- {
		lines = append(lines, "")
	}
	footer := "Ctrl-C ends"
	if t.note != "" {
		footer = t.note
	}
	return append(lines, "", dim+fit(footer, width))
}

// numbers sums up. What is not as it should be is only there if it happened.
func (t *Table) numbers() string {
	text := fmt.Sprintf("accepted %d  delivered %d", t.show.posted.Load(), t.show.delivered.Load())
	var retried, letters, lost uint64
	var lag int64
	for _, s := range t.status() {
		retried, letters, lost, lag = retried+s.Retried, letters+s.DeadLettered, lost+s.Lost, lag+s.Lag
	}
	text += fmt.Sprintf("  lag %d  median delay %s", lag, milliseconds(median(t.delays)))
	for _, trouble := range []struct {
		name  string
		count uint64
	}{{"refused", t.show.refused.Load()}, {"retried", retried}, {"dead letters", letters}, {"lost", lost}} {
		if trouble.count > 0 {
			text += fmt.Sprintf("  %s %d", trouble.name, trouble.count)
		}
	}
	return text
}

func median(delays []time.Duration) time.Duration {
	if len(delays) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(delays))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

// columns are the widths of a row's cells; data takes what is left.
type columns struct{ device, subject, data int }

const (
	timeWidth   = len("15:04:05")
	statusWidth = len("HTTP")
	delayWidth  = len("9999 ms")
	gap         = 2
)

func layout(width int) columns {
	c := columns{device: 12, subject: 9}
	if width >= 120 {
		c = columns{device: 24, subject: 16}
	}
	c.data = max(8, width-timeWidth-c.device-c.subject-statusWidth-delayWidth-5*gap)
	return c
}

func (c columns) line(at, device, subject, data, status, delay string) string {
	cells := []string{
		pad(at, timeWidth), pad(device, c.device), pad(subject, c.subject), pad(data, c.data), pad(status, statusWidth),
		strings.Repeat(" ", max(0, delayWidth-utf8.RuneCountInString(delay))) + delay,
	}
	return strings.Join(cells, strings.Repeat(" ", gap))
}

// pad makes a text exactly so many characters long, none of which moves the cursor elsewhere.
func pad(text string, width int) string {
	text = receiver.Printable(text, width)
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// fit cuts a line off at the edge.
func fit(line string, width int) string { return receiver.Printable(line, width) }
