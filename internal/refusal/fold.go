package refusal

import (
	"sync"
	"time"
)

const (
	// FoldWindow is how long reports of the same kind are counted before it is said how many came.
	FoldWindow = 10 * time.Second
	// maxKinds is how many kinds of reports are shown and remembered in one window.
	maxKinds = 64
)

// A Fold shows the first report of a kind at once, and of those that follow only how many there were. Two reports are of the
// same kind if they are equal. Its memory is bounded: kinds beyond maxKinds in a window are only counted together.
type Fold struct {
	shown func(Folded)

	mu     sync.Mutex
	counts map[Report]int // further reports in this window
	order  []Report
	others int // of kinds that are not remembered
	timer  *time.Timer
	closed bool
}

// Folded is what a Fold shows.
type Folded struct {
	Report Report
	More   int  // so many further ones like the report; 0: the report itself
	Others bool // More counts reports of all kinds for which there was no room; there is no Report
}

// NewFold makes a fold. shown is called by one goroutine at a time, and must not call the fold.
func NewFold(shown func(Folded)) *Fold { return &Fold{shown: shown, counts: map[Report]int{}} }

// Add takes a report.
func (f *Fold) Add(r Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	if f.timer == nil {
		f.timer = time.AfterFunc(FoldWindow, f.turn)
	}
	switch _, known := f.counts[r]; {
	case known:
		f.counts[r]++
	case len(f.order) == maxKinds:
		f.others++
	default:
		f.counts[r] = 0
		f.order = append(f.order, r)
		f.shown(Folded{Report: r})
	}
}

// turn ends a window. What goes on is only counted in the next one, too.
func (f *Fold) turn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.timer = nil
	if f.summarize(); len(f.order) > 0 {
		f.timer = time.AfterFunc(FoldWindow, f.turn)
	}
}

// summarize says what was counted, and forgets the kinds of which nothing came.
func (f *Fold) summarize() {
	var kept []Report
	for _, r := range f.order {
		if f.counts[r] == 0 {
			delete(f.counts, r)
			continue
		}
		f.shown(Folded{Report: r, More: f.counts[r]})
		f.counts[r] = 0
		kept = append(kept, r)
	}
	if f.others > 0 {
		f.shown(Folded{More: f.others, Others: true})
	}
	f.order, f.others = kept, 0
}

// Close says what was counted so far, and takes nothing more.
func (f *Fold) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.timer != nil {
		f.timer.Stop()
	}
	if !f.closed {
		f.summarize()
	}
	f.closed = true
}
