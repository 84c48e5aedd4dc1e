package workers

import (
	"context"
	"sync/atomic"
)

// A Pool runs tasks. There are as many goroutines as there are tasks at once, of which some stay for those that come later.
type Pool struct {
	tasks chan func()
	done  <-chan struct{}
	idle  atomic.Int64
	keep  int64
}

// NewPool makes a pool that keeps at most keep goroutines without a task, until ctx ends.
func NewPool(ctx context.Context, keep int) *Pool {
	return &Pool{tasks: make(chan func()), done: ctx.Done(), keep: int64(keep)}
}

// Go has a task run, as the statement go does: it does not wait, and there is no bound. It goes on when the context of the pool has ended.
func (p *Pool) Go(task func()) {
	select {
	case p.tasks <- task: // to one that waits
	default:
		go p.work(task)
	}
}

// work runs a task, and what comes then, until enough others wait.
func (p *Pool) work(task func()) {
	for task != nil {
		task()
		task = p.next()
	}
}

// next waits for a task; nil: there is none for this goroutine.
func (p *Pool) next() func() {
	defer p.idle.Add(-1)
	if p.idle.Add(1) > p.keep {
		return nil
	}
	select {
	case task := <-p.tasks:
		return task
	case <-p.done:
		return nil
	}
}
