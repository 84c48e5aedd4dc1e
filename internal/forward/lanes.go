package forward

import (
	"context"
	"sync"
)

// lanes are the lines of messages, one for each device that has any. Each is worked off by a goroutine of its own, one
// message after the other. Who adds bounds how many there are.
type lanes struct {
	work func(*Message) bool // false stops the line

	mu      sync.Mutex
	lines   map[string][]*Message // that wait, by device; a line is there while somebody works on it
	closed  bool
	workers sync.WaitGroup
}

func newLanes(work func(*Message) bool) *lanes {
	return &lanes{work: work, lines: map[string][]*Message{}}
}

// add puts a message at the end of its device's line. It says no after close.
func (l *lanes) add(m *Message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	line, worked := l.lines[m.Device]
	if worked {
		l.lines[m.Device] = append(line, m)
		return true
	}
	l.lines[m.Device] = nil
	l.workers.Go(func() { l.run(m) })
	return true
}

// run works off a line, beginning with m. What is behind a message that stops the work is left.
func (l *lanes) run(m *Message) {
	for m != nil && l.work(m) {
		m = l.next(m.Device)
	}
	for m != nil {
		if m = l.next(m.Device); m != nil {
			m.Left()
		}
	}
}

// next takes the first message of a line, or ends a line that is empty.
func (l *lanes) next(device string) *Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.lines[device]
	if len(line) == 0 {
		delete(l.lines, device)
		return nil
	}
	l.lines[device] = line[1:]
	return line[0]
}

// close takes nothing more, and waits until the lines are worked off or ctx ends.
func (l *lanes) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.workers.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
