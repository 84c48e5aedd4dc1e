package opcua

import (
	"context"
	"sync"

	"github.com/fairlead/fairlead/internal/command"
)

// commandLines are the commands that wait, a line for each device: those of a device are done one after the other.
type commandLines struct {
	work func(ctx context.Context, device string, c command.Command)
	most int

	mu      sync.Mutex
	lines   map[string][]command.Command // a line is there while somebody works on it
	total   int
	closed  bool
	workers sync.WaitGroup
	life    context.Context // of commands that are being done
	end     context.CancelFunc
}

func newCommandLines(most int, work func(context.Context, string, command.Command)) *commandLines {
	l := &commandLines{work: work, most: most, lines: map[string][]command.Command{}}
	l.life, l.end = context.WithCancel(context.Background())
	return l
}

// add puts a command at the end of its device's line, unless too many wait.
func (l *commandLines) add(device string, c command.Command) (taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.total >= l.most {
		return false
	}
	l.total++
	line, worked := l.lines[device]
	l.lines[device] = append(line, c)
	if !worked {
		l.workers.Go(func() { l.run(device) })
	}
	return true
}

// run works off a line.
func (l *commandLines) run(device string) {
	for {
		c, ok := l.first(device)
		if !ok {
			return
		}
		l.work(l.life, device, c)
		l.mu.Lock()
		l.total--
		l.mu.Unlock()
	}
}

// first takes the first command of a line, or ends a line that is empty.
func (l *commandLines) first(device string) (c command.Command, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.lines[device]
	if len(line) == 0 {
		delete(l.lines, device)
		return c, false
	}
	l.lines[device] = line[1:]
	return line[0], true
}

// close takes nothing more, and waits until the lines are worked off. When ctx ends, what is being done is given up.
func (l *commandLines) close(ctx context.Context) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	defer context.AfterFunc(ctx, l.end)()
	l.workers.Wait()
	l.end()
}
