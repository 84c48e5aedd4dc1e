package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

const (
	drawInterval = 100 * time.Millisecond // of a bar on a terminal
	lineInterval = 10 * time.Second       // of lines elsewhere
	rateWindow   = 5 * time.Second        // over which rates are taken
)

// A moment is how far something has come at a time.
type moment struct {
	at    time.Time
	count int     // of resources
	part  float64 // of everything, from 0 to 1
}

// A progress shows how far something has come: as a bar on a terminal, and as a line from time to time elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	drawn    bool
	began    time.Time
	written  time.Time // when the last line was
	moments  []moment  // of the last seconds
}

func newProgress(out io.Writer, now time.Time) *progress {
	return &progress{out: out, terminal: isTerminal(out) && os.Getenv("TERM") != "dumb", began: now, written: now, moments: []moment{{at: now}}}
}

func (p *progress) interval() time.Duration {
	if p.terminal {
		return drawInterval
	}
	return time.Second
}

// show draws, or writes a line if it is time for one.
func (p *progress) show(now moment, more string) {
	for len(p.moments) > 1 && now.at.Sub(p.moments[1].at) >= rateWindow {
		p.moments = p.moments[1:]
	}
	p.moments = append(p.moments, now)
	if p.terminal {
		p.draw(now, more)
		return
	}
	if now.at.Sub(p.written) >= lineInterval {
		p.written = now.at
		fmt.Fprintf(p.out, "%.0f %%, %s\n", 100*now.part, p.text(now, more))
	}
}

// text is the count, the rate and the time that is left.
func (p *progress) text(now moment, more string) string {
	text := grouped(now.count) + " done"
	first := p.moments[0]
	if elapsed := now.at.Sub(first.at).Seconds(); elapsed > 0 {
		text += fmt.Sprintf(", %s/s", grouped(int(float64(now.count-first.count)/elapsed+0.5)))
		if speed := (now.part - first.part) / elapsed; speed > 0 && now.part < 1 {
			text += ", " + remaining(time.Duration((1-now.part)/speed*float64(time.Second))) + " left"
		}
	}
	return text + more
}

// draw writes the bar over the one before. It leaves the last column free, where terminals break lines.
func (p *progress) draw(now moment, more string) {
	width, _, err := term.GetSize(fileNumber(p.out))
	if err != nil || width < 1 {
		width = 80
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", bar(now.part, p.text(now, more), width-1))
	p.drawn = true
}

// bar is a line of at most so many characters: a bar if there is room for it, and a text.
func bar(part float64, text string, width int) string {
	text = fmt.Sprintf("%3.0f %%  %s", 100*part, text)
	if room := min(width-len(text)-3, 30); room >= 10 {
		full := min(int(part*float64(room)+0.5), room)
		return "[" + strings.Repeat("#", full) + strings.Repeat(".", room-full) + "] " + text
	}
	return text[:min(len(text), max(width, 0))]
}

// clear takes the bar away, so that something else can be written.
func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

func fileNumber(w io.Writer) int {
	if file, ok := w.(*os.File); ok {
		return int(file.Fd())
	}
	return -1
}

// grouped writes a number with commas between its thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// remaining is a duration in the two units that matter.
func remaining(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
}
