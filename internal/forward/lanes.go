package forward

import (
	"context"
	"sync"
)

// lanes are the lines of messages, one for each device that has any. Each is worked off by a goroutine of its own, some messages
// after the others. Who adds bounds how many there are.
type lanes struct {
	most int                   // that are worked on together
	work func([]*Message) bool // false stops the line

	mu      sync.Mutex
	lines   map[string][]*Message // that wait, by device; a line is there while somebody works on it
	closed  bool
	workers sync.WaitGroup
}

func newLanes(most int, work func([]*Message) bool) *lanes {
	return &lanes{most: most, work: work, lines: map[string][]*Message{}}
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
	l.workers.Go(func() { l.run(m.Device, []*Message{m}) })
	return true
}

// run works off a line, beginning with some messages. What is behind messages that stop the work is left.
func (l *lanes) run(device string, first []*Message) {
	batch := first
	for len(batch) > 0 && l.work(batch) {
		batch = l.next(device)
	}
	for len(batch) > 0 {
		batch = l.next(device)
		for _, m := range batch {
			m.Left()
		}
	}
}

// next takes the first messages of a line, or ends a line that is empty.
func (l *lanes) next(device string) []*Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.lines[device]
	if len(line) == 0 {
		delete(l.lines, device)
		return nil
	}
	n := min(len(line), l.most)
	l.lines[device] = line[n:]
	return line[:n:n]
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
