package command

// A Queue holds commands for a listener that takes them one by one, such as a long poll. It is bounded: when it is full,
// the oldest command gives way.
type Queue struct {
	commands chan Command
	dropped  func()
}

// NewQueue makes a queue of that many commands, at least one.
func (h *Hub) NewQueue(size int) *Queue {
	return &Queue{commands: make(chan Command, max(1, size)), dropped: h.metrics.drop}
}

// Put adds a command. It never blocks, and always takes the command.
func (q *Queue) Put(c Command) (taken bool) {
	for {
		select {
		case q.commands <- c:
			return true
		default:
		}
		select {
		case <-q.commands:
			q.dropped()
		default:
		}
	}
}

// C is where the commands come out.
func (q *Queue) C() <-chan Command { return q.commands }
